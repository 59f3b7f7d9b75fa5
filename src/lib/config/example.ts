/**
 * The one description of the configuration file. docs/cluster.example.yaml is this text (a test holds them equal), and
 * the validation takes the allowed keys and their types from it: a list is a list, `3s` a duration, a number a number,
 * and `One of:` in the comment above a key names its only values.
 */
export const EXAMPLE = `# Configuration of \`cluster\`. Every key is optional; keep only what you change.
# Looked for in ./cluster.yaml, then in ~/.config/cluster/config.yaml ($XDG_CONFIG_HOME). Both are read; the first wins,
# key by key. Flags win over environment variables, and those over files.
# User, password and client certificate only go to an etcd that the same file names (or that is typed as they are).
# A ./cluster.yaml that others could have written is refused, and commands name it when they use it.
# Relative paths are relative to the file that names them; ~ is your home directory.

# Directory of the embedded store, used when no etcd endpoint is configured.
# CLUSTER_DATA_DIR. Default: ~/.local/share/cluster ($XDG_DATA_HOME).
data-dir: ~/.local/share/cluster

# How long a service that cannot report that it is ready (Type=simple, exec) must stay up before it counts as started;
# 0 = as soon as systemd has started its program.
# CLUSTER_MIN_HEALTHY
min-healthy: 1s

# Keep the registry in etcd 3.4 or newer instead, to share it with your team, gateways or several computers.
etcd:
  # Where etcd listens; https:// for TLS. If one of several is unreachable, the next one is tried.
  # CLUSTER_ENDPOINT (comma-separated). Default: none, the embedded store is used.
  endpoints:
    - https://127.0.0.1:2379
  # Certificate of the authority that signed etcd's certificate (PEM file).
  # CLUSTER_CA_FILE. Default: the authorities that Node.js knows.
  ca: ~/etcd/ca.pem
  # Client certificate and its key (PEM files), if etcd asks for one.
  # CLUSTER_CERT_FILE, CLUSTER_KEY_FILE
  cert: ~/etcd/client.pem
  key: ~/etcd/client.key
  # Login, if etcd has authentication enabled. With a password in it, only you should be able to read this file.
  # CLUSTER_ETCD_USER, CLUSTER_ETCD_PASSWORD
  user: cluster
  password: secret
  # Reach the endpoints through the SSH connection to this machine, so that etcd only needs to listen on its loopback.
  # CLUSTER_TUNNEL. Without endpoints, etcd is then expected on that machine at http://127.0.0.1:2379.
  tunnel: root@10.0.0.5
  # How long one request may take. Units: ms, s, m.
  # CLUSTER_REQUEST_TIMEOUT
  timeout: 3s
  # All keys are below this prefix.
  # CLUSTER_KEY_PREFIX
  prefix: /cluster
  # Frontends, backends and servers are below this one, in vulcand's schema.
  # CLUSTER_TRAFFIC_PREFIX
  traffic-prefix: /vulcand

# How machines are reached.
ssh:
  # Login for addresses that name none.
  # CLUSTER_SSH_USERNAME
  user: root
  # Private key file. Default: the agent, then the usual files in ~/.ssh.
  # CLUSTER_SSH_IDENTITY
  identity: ~/.ssh/id_ed25519
  # Known host keys.
  # CLUSTER_KNOWN_HOSTS_FILE. Default: ~/.ssh/known_hosts.
  known-hosts: ~/.ssh/known_hosts
  # accept-new records the key of a machine that was never seen before; a changed key is always refused.
  # CLUSTER_STRICT_HOST_KEY_CHECKING. One of: yes, accept-new
  strict-host-key-checking: yes
  # How connections are made: ssh2 in this process, openssh by the ssh program of this computer, auto by that program
  # where its configuration needs it (ProxyCommand, certificates, hardware keys...).
  # CLUSTER_SSH_TRANSPORT. One of: auto, ssh2, openssh
  transport: auto
  # How long connecting may take. Default: ConnectTimeout of the OpenSSH client configuration, or 10s.
  # CLUSTER_SSH_TIMEOUT
  timeout: 10s
  # How long a machine may be silent on an open connection before it counts as gone.
  # CLUSTER_GONE_AFTER. Default: ServerAliveInterval and ServerAliveCountMax of the OpenSSH client configuration, or 10s.
  gone-after: 10s
  # How long an unused connection is held for later commands by a background process; 0 = not at all.
  # CLUSTER_SSH_PERSIST
  persist: 60s
  # OpenSSH client configuration to follow instead of ~/.ssh/config and /etc/ssh/ssh_config.
  # CLUSTER_SSH_CONFIG
  config: ~/.ssh/config
  # How many machines are connected to at the same time.
  # CLUSTER_SSH_PARALLEL
  parallel: 30
`;
