# Right after the local files: a name that is local stays local, and systemd's own module is asked last.
passwd after=files tenant
group after=files tenant
shadow after=files tenant
