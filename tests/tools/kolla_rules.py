"""What kolla-ansible's port variables mean, where its role defaults do not say so.

A service behind HAProxy declares its ports under "haproxy" in its role's
defaults, and kolla_ports.py reads them there. The rest is written by hand, from
the templates named. A variable that is in neither place stops the generator:
somebody then has to look where the new port is bound.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """Where one port is bound, and when."""

    #: One letter each, t for TCP and u for UDP.
    protocols: str
    #: Addresses: "api" and the like are Kolla's networks, see configs/README.md.
    listens: str
    service: str
    #: The variable that turns the service on. A release without it has the
    #: port's variable as a leftover only.
    flag: str
    #: What else must hold, in Jinja.
    when: str = ""
    #: The last release for which the rule is right; empty for all.
    until: str = ""


def cell_proxy(service, when):
    """Console proxies: nova-cell configures HAProxy in tasks/loadbalancer.yml."""
    return {
        f"nova_{service}_port": [Rule("t", "internal_vip", "nova", "enable_nova", f"enable_haproxy | bool and {when}")],
        f"nova_{service}_public_port": [
            Rule("t", "external_vip", "nova", "enable_nova",
                 f"enable_haproxy | bool and not haproxy_single_external_frontend | bool and {when}")],
        f"nova_{service}_listen_port": [Rule("t", "api", "nova", "enable_nova", when)],
    }


BOUND = {
    # roles/designate/templates/{named.conf,designate.conf}.j2
    "designate_bind_port": [
        Rule("tu", "api", "designate", "enable_designate", "designate_backend == 'bind9'"),
        Rule("tu", "dns", "designate", "enable_designate", "designate_backend == 'bind9'")],
    "designate_mdns_port": [Rule("tu", "dns", "designate", "enable_designate")],
    "designate_rndc_port": [Rule("t", "api", "designate", "enable_designate", "designate_backend == 'bind9'")],
    # roles/etcd/defaults/main.yml
    "etcd_peer_port": [Rule("t", "api", "etcd", "enable_etcd")],
    # roles/fluentd/templates/conf/input/{01-syslog,08-prometheus}.conf.j2
    "fluentd_syslog_port": [Rule("u", "api", "fluentd", "enable_fluentd")],
    "prometheus_fluentd_integration_port": [Rule("t", "api", "fluentd", "enable_prometheus_fluentd_integration")],
    # telegraf, templates/telegraf.conf.j2; collectd itself only sends there
    "collectd_udp_port": [Rule("u", "api", "telegraf", "enable_telegraf")],
    # roles/hacluster/tasks/precheck.yml: pacemaker_remoted binds the wildcard
    "hacluster_corosync_port": [Rule("u", "api", "hacluster", "enable_hacluster")],
    "hacluster_pacemaker_remote_port": [Rule("t", "any", "hacluster", "enable_hacluster")],
    # roles/loadbalancer/templates/haproxy/haproxy_main.cfg.j2
    "haproxy_stats_port": [Rule("t", "api", "haproxy", "enable_haproxy")],
    "haproxy_monitor_port": [
        Rule("t", "api", "haproxy", "enable_haproxy"), Rule("t", "internal_vip", "haproxy", "enable_haproxy")],
    "prometheus_haproxy_exporter_port": [Rule("t", "api", "haproxy", "enable_prometheus_haproxy_exporter")],
    # haproxy_external_frontend.cfg.j2; the first name is that of 2024.1
    "haproxy_external_single_frontend_public_port": [
        Rule("t", "external_vip", "haproxy", "haproxy_single_external_frontend", "enable_haproxy | bool", until="2024.1")],
    "haproxy_single_external_frontend_public_port": [
        Rule("t", "external_vip", "haproxy", "haproxy_single_external_frontend", "enable_haproxy | bool")],
    # templates/haproxy-ssh/sshd_config.j2, which letsencrypt pushes certificates to
    "haproxy_ssh_port": [Rule("t", "api", "haproxy-ssh", "enable_letsencrypt")],
    "letsencrypt_webserver_port": [Rule("t", "api", "letsencrypt", "enable_letsencrypt")],
    # templates/proxysql/proxysql.yaml.j2; the REST interface knows no address
    "proxysql_admin_port": [
        Rule("t", "api", "proxysql", "enable_proxysql"), Rule("t", "internal_vip", "proxysql", "enable_proxysql")],
    "proxysql_prometheus_exporter_port": [Rule("t", "any", "proxysql", "enable_prometheus_proxysql_exporter")],
    "database_port": [Rule("t", "internal_vip", "proxysql", "enable_proxysql")],
    # roles/ironic/templates/ironic-http-httpd.conf.j2, tasks/precheck.yml
    "ironic_http_port": [Rule("t", "ironic_http", "ironic", "enable_ironic")],
    "ironic_prometheus_exporter_port": [Rule("t", "api", "ironic", "enable_ironic_prometheus_exporter")],
    # roles/iscsi/templates/tgtd.json.j2; not with lioadm, which goes by the
    # host's distribution
    "iscsi_port": [Rule("t", "api", "iscsi", "enable_iscsid", "enable_cinder_backend_lvm | bool")],
    # roles/keystone/tasks/config.yml, templates/sshd_config.j2. The socket is
    # there with federation, which depends on lists that globals.yml gives.
    "keystone_listen_port": [Rule("t", "api", "keystone", "enable_keystone")],
    "keystone_ssh_port": [Rule("t", "api", "keystone", "enable_keystone")],
    "keystone_wsgi_socket_port": [Rule("t", "loopback", "keystone", "enable_keystone")],
    # roles/kuryr/tasks/precheck.yml
    "kuryr_port": [Rule("t", "api", "kuryr", "enable_kuryr")],
    # roles/mariadb/templates/{galera.cnf,mariadb-clustercheck.json}.j2
    "mariadb_port": [Rule("t", "api", "mariadb", "enable_mariadb")],
    "mariadb_wsrep_port": [Rule("t", "api", "mariadb", "enable_mariadb")],
    "mariadb_ist_port": [Rule("t", "api", "mariadb", "enable_mariadb")],
    "mariadb_sst_port": [Rule("t", "api", "mariadb", "enable_mariadb")],
    "mariadb_clustercheck_port": [Rule("t", "api", "mariadb", "enable_mariadb")],
    # roles/memcached/templates/memcached.json.j2
    "memcached_port": [Rule("t", "api", "memcached", "enable_memcached")],
    # roles/{glance,neutron}/templates/*-tls-proxy.cfg.j2
    "glance_api_listen_port": [Rule("t", "api", "glance", "enable_glance")],
    "glance_tls_proxy_stats_port": [
        Rule("t", "api", "glance", "enable_glance", "glance_enable_tls_backend | bool")],
    "neutron_tls_proxy_stats_port": [
        Rule("t", "api", "neutron", "enable_neutron", "neutron_enable_tls_backend | bool")],
    # roles/nova-cell/templates/{libvirtd.conf,sshd_config}.j2
    "nova_libvirt_port": [Rule("t", "migration", "nova", "enable_nova", "enable_nova_libvirt_container | bool")],
    "nova_ssh_port": [
        Rule("t", "api", "nova", "enable_nova", "enable_nova_ssh | bool"),
        Rule("t", "migration", "nova", "enable_nova", "enable_nova_ssh | bool")],
    **cell_proxy("novncproxy", "nova_console == 'novnc'"),
    **cell_proxy("spicehtml5proxy", "nova_console == 'spice'"),
    **cell_proxy("serialproxy", "enable_nova_serialconsole_proxy | bool"),
    # roles/octavia/templates/octavia.conf.j2
    "octavia_health_manager_port": [Rule("u", "octavia", "octavia", "enable_octavia")],
    # roles/{openvswitch,ovn-db}/templates
    "ovsdb_port": [Rule("t", "loopback", "openvswitch", "enable_openvswitch")],
    "ovn_nb_db_port": [Rule("t", "api", "ovn", "enable_ovn")],
    "ovn_sb_db_port": [Rule("t", "api", "ovn", "enable_ovn")],
    "ovn_sb_db_relay_port": [Rule("t", "api", "ovn", "enable_ovn_sb_db_relay")],
    # roles/prometheus/templates/*.json.j2, roles/prometheus-node-exporters
    "prometheus_alertmanager_cluster_port": [Rule("tu", "api", "prometheus", "enable_prometheus_alertmanager")],
    "prometheus_blackbox_exporter_port": [Rule("t", "api", "prometheus", "enable_prometheus_blackbox_exporter")],
    "prometheus_cadvisor_port": [Rule("t", "api", "prometheus", "enable_prometheus_cadvisor")],
    "prometheus_elasticsearch_exporter_port": [
        Rule("t", "api", "prometheus", "enable_prometheus_elasticsearch_exporter")],
    "prometheus_libvirt_exporter_port": [Rule("t", "api", "prometheus", "enable_prometheus_libvirt_exporter")],
    "prometheus_memcached_exporter_port": [
        Rule("t", "api", "prometheus", "enable_prometheus", "enable_prometheus_memcached_exporter | bool")],
    "prometheus_msteams_port": [Rule("t", "loopback", "prometheus", "enable_prometheus_msteams")],
    "prometheus_mysqld_exporter_port": [
        Rule("t", "api", "prometheus", "enable_prometheus", "enable_prometheus_mysqld_exporter | bool")],
    "prometheus_node_exporter_port": [Rule("t", "api", "prometheus", "enable_prometheus_node_exporter")],
    "prometheus_openstack_network_exporter_port": [
        Rule("t", "api", "prometheus", "enable_prometheus_openstack_network_exporter")],
    "prometheus_valkey_exporter_port": [Rule("t", "api", "prometheus", "enable_prometheus_valkey_exporter")],
    # roles/rabbitmq/templates/{rabbitmq.conf,rabbitmq-env.conf}.j2: Erlang's
    # distribution binds the wildcard
    "rabbitmq_port": [Rule("t", "api", "rabbitmq", "enable_rabbitmq")],
    "rabbitmq_cluster_port": [Rule("t", "any", "rabbitmq", "enable_rabbitmq")],
    "rabbitmq_epmd_port": [Rule("t", "api", "rabbitmq", "enable_rabbitmq")],
    "rabbitmq_prometheus_port": [Rule("t", "api", "rabbitmq", "enable_rabbitmq")],
    # roles/{redis,valkey}/templates
    "redis_port": [Rule("t", "api", "redis", "enable_redis")],
    "redis_sentinel_port": [Rule("t", "api", "redis", "enable_redis")],
    "valkey_server_port": [Rule("t", "api", "valkey", "enable_valkey")],
    "valkey_sentinel_port": [Rule("t", "api", "valkey", "enable_valkey")],
    # roles/swift/templates
    "swift_account_server_port": [Rule("t", "swift_storage", "swift", "enable_swift")],
    "swift_container_server_port": [Rule("t", "swift_storage", "swift", "enable_swift")],
    "swift_object_server_port": [Rule("t", "swift_storage", "swift", "enable_swift")],
    "swift_rsync_port": [Rule("t", "swift_replication", "swift", "enable_swift")],
    # roles/zun/templates/zun.conf.j2
    "zun_cni_daemon_port": [Rule("t", "api", "zun", "enable_zun")],
    # roles/cyborg/templates/cyborg.conf.j2, before it was behind HAProxy
    "cyborg_api_port": [Rule("t", "api", "cyborg", "enable_cyborg", until="2024.1")],
}

#: Ports that no variable holds.
FIXED = [
    (67, Rule("u", "ironic_dnsmasq", "ironic", "enable_ironic")),  # templates/ironic-dnsmasq.conf.j2: DHCP
    (69, Rule("u", "ironic_tftp", "ironic", "enable_ironic")),  # templates/ironic-tftp.json.j2
    (9300, Rule("t", "api", "opensearch", "enable_opensearch")),  # transport.port is left at its default
]

_REMOTE = "a port of something that Kolla does not run"
_ALIAS = "another variable's value, under a name for clients"

#: Port variables that no process on a host binds.
NOT_BOUND = {
    "ceilometer_prometheus_pushgateway_port": _REMOTE,
    "cinder_vast_port": _REMOTE,
    "lightos_api_port": _REMOTE,
    "manila_vast_port": _REMOTE,
    "octavia_amp_listen_port": "bound in the load balancer's virtual machine",
    "vast_port": _REMOTE,
    "vmware_dvs_host_port": _REMOTE,
    "nova_cell_database_port": _ALIAS,
    "nova_cell_notify_port": _ALIAS,
    "nova_cell_rpc_port": _ALIAS,
    "om_notify_port": _ALIAS,
    "om_rpc_port": _ALIAS,
    "prometheus_etcd_integration_port": _ALIAS,
    "prometheus_rabbitmq_exporter_port": _ALIAS,
    "service_uwsgi_config_socket_port": "the parameter of a role",
    "skyline_apiserver_public_port": "HAProxy binds skyline_apiserver_port on both addresses",
    "skyline_console_public_port": "HAProxy binds skyline_console_port on both addresses",
    "swift_proxy_server_port": "HAProxy and the service bind swift_proxy_server_listen_port",
    "syslog_udp_port": _ALIAS,
    "venus_api_listen_port": "the service binds venus_api_port",
}

#: What Ansible cannot know here, and what is assumed in its place.
ASSUMED = {
    # By default the two addresses are one.
    "kolla_same_external_internal_vip": True,
    # The first group of relays; which one a host is in goes by the inventory.
    "ovn_sb_db_relay_client_group_id": 1,
}

#: Variables that are taken at their default: their expressions go by the inventory.
FOLDED = {"ovn_sb_db_relay_port"}
