# What the vendors' images need, for ibforge build --var-file. NVIDIA hands the
# files to customers; their sums are in its portal.
ufm_installer        = "/srv/vendor/ufm-6.23.1-6.el9.x86_64.tgz"
ufm_installer_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
ufm_family           = "el"
ufm_base             = "docker://registry.example/el9-systemd@sha256:0000000000000000000000000000000000000000000000000000000000000000"

neo_installer        = "/srv/vendor/neo.tar.gz"
neo_installer_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
neo_family           = "el7"
neo_base             = "docker://registry.example/el7-systemd@sha256:0000000000000000000000000000000000000000000000000000000000000000"
