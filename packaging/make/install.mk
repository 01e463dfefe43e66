# make install DESTDIR=…: the same files that the Debian packages carry.

install: all ## install below DESTDIR
	install -d $(DESTDIR)$(prefix)/sbin $(DESTDIR)$(prefix)/bin $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(pamdir) \
	  $(DESTDIR)$(prefix)/include/tenant
	install -m 0755 $(O)/tenantd $(DESTDIR)$(prefix)/sbin/tenantd
	install -m 0755 $(O)/tenantctl $(DESTDIR)$(prefix)/bin/tenantctl
	install -m 0644 $(O)/libtenant.so.1 $(O)/libnss_tenant.so.2 $(O)/libsubid_tenant.so $(DESTDIR)$(libdir)/
	ln -sf libtenant.so.1 $(DESTDIR)$(libdir)/libtenant.so
	install -m 0644 $(O)/pam_tenant.so $(DESTDIR)$(pamdir)/
	install -m 0644 include/tenant/*.h $(DESTDIR)$(prefix)/include/tenant/
.PHONY: install
