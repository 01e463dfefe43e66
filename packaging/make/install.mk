# make install DESTDIR=…: the same files that the Debian packages carry.

sbindir     ?= $(prefix)/sbin
bindir      ?= $(prefix)/bin
includedir  ?= $(prefix)/include
docdir      ?= $(datadir)/doc/tenantd
pythondir   ?= $(prefix)/lib/python3/dist-packages
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
catalogdir  ?= $(prefix)/lib/systemd/catalog

MAN_SECTIONS := 1 3 5 7 8
D := $(DESTDIR)

install: all $(O)/libtenant.pc ## install below DESTDIR
	install -d $(D)$(sbindir) $(D)$(bindir) $(D)$(libdir)/pkgconfig $(D)$(pamdir) $(D)$(includedir)/tenant
	install -m 0755 $(O)/tenantd $(O)/tenant-control $(D)$(sbindir)/
	install -m 0755 $(O)/tenantctl $(D)$(bindir)/
	install -d $(D)$(prefix)/lib/tenantd
	install -m 0755 $(O)/tenantd-helper $(O)/tenantd-ssh-keys $(D)$(prefix)/lib/tenantd/
	install -m 0644 $(O)/libtenant.so.1 $(O)/libnss_tenant.so.2 $(O)/libsubid_tenant.so $(D)$(libdir)/
	ln -sf libtenant.so.1 $(D)$(libdir)/libtenant.so
	install -m 0644 $(O)/pam_tenant.so $(D)$(pamdir)/
	install -m 0644 $(wildcard include/tenant/*.h) $(D)$(includedir)/tenant/
	install -m 0644 $(O)/libtenant.pc $(D)$(libdir)/pkgconfig/
	install -d $(D)$(pythondir)/tenantd
	install -m 0644 $(wildcard lib/python/tenantd/*.py lib/python/tenantd/py.typed) $(D)$(pythondir)/tenantd/
	install -d $(D)$(systemddir) $(D)$(sysusersdir) $(D)$(tmpfilesdir) $(D)$(catalogdir)
	install -m 0644 $(wildcard conf/systemd/*) $(D)$(systemddir)/
	install -m 0644 conf/sysusers/tenantd.conf conf/sysusers/tenant-control.conf $(D)$(sysusersdir)/
	install -m 0644 conf/tmpfiles/tenantd.conf $(D)$(tmpfilesdir)/
	install -m 0644 conf/tenantd.catalog $(D)$(catalogdir)/
	install -d $(D)$(sysconfdir)/sudoers.d $(D)$(sysconfdir)/tenantd/agent.yaml.d $(D)$(sysconfdir)/tenantd/directory.yaml.d
	install -m 0440 conf/sudoers/tenantd $(D)$(sysconfdir)/sudoers.d/tenantd
	install -m 0644 conf/agent.yaml $(D)$(sysconfdir)/tenantd/agent.yaml
	install -d $(D)$(sysconfdir)/tenant-control/control.yaml.d
	install -m 0644 conf/control.yaml $(D)$(sysconfdir)/tenant-control/control.yaml
	install -d $(D)$(datadir)/tenantd $(D)$(datadir)/pam-configs $(D)$(datadir)/bash-completion/completions
	install -m 0644 conf/sshd/50-tenantd.conf $(D)$(datadir)/tenantd/sshd-50-tenantd.conf
	install -m 0644 docs/io.tenantd.Agent.varlink $(D)$(datadir)/tenantd/
	install -m 0644 conf/pam-configs/tenant conf/pam-configs/tenant-password $(D)$(datadir)/pam-configs/
	install -m 0644 conf/bash-completion/tenantctl conf/bash-completion/tenant-control $(D)$(datadir)/bash-completion/completions/
	install -d $(D)$(docdir)/examples/jupyterhub
	install -m 0644 $(wildcard conf/*.example.yaml) docs/examples/gate.c $(D)$(docdir)/examples/
	install -m 0644 $(wildcard docs/examples/jupyterhub/*.*) $(D)$(docdir)/examples/jupyterhub/
	$(foreach s,$(MAN_SECTIONS),$(if $(wildcard docs/man/*.$(s)),install -d $(D)$(mandir)/man$(s) && \
	  cp -P --no-preserve=ownership $(wildcard docs/man/*.$(s)) $(D)$(mandir)/man$(s)/ &&)) true
.PHONY: install

$(O)/libtenant.pc: lib/client/libtenant.pc.in Makefile
	@mkdir -p $(@D)
	sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(libdir)|' -e 's|@version@|$(VERSION)|' $< > $@
