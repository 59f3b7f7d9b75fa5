import { createHash } from 'node:crypto';

export const SUITE = 'bookworm';

const BASE = [
  ...['systemd', 'systemd-sysv', 'dbus', 'openssh-server', 'iproute2', 'sudo', 'curl', 'procps', 'less'],
];
const DOCKER = ['docker.io', 'iptables', 'haproxy', 'etcd-server', 'etcd-client', 'busybox'];

/** The packages of an image; the second list is put on top of the first. */
export const PACKAGES = { base: BASE, docker: DOCKER } as const;

/** What is done to a fresh root file system, by sh as root inside it. */
export const BASE_SCRIPT = `set -e
rm -f /etc/ssh/ssh_host_* /etc/resolv.conf /etc/hostname
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id
useradd --create-home --shell /bin/bash --uid 1000 admin
useradd --create-home --shell /bin/bash --uid 1001 nosudo
echo 'admin ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/admin
chmod 0440 /etc/sudoers.d/admin
mkdir -p /etc/systemd/journald.conf.d /var/log/journal
printf '[Journal]\\nStorage=persistent\\nSystemMaxUse=64M\\n' > /etc/systemd/journald.conf.d/lab.conf
systemctl enable systemd-networkd.service ssh.service
systemctl mask systemd-networkd-wait-online.service console-getty.service apt-daily.timer apt-daily-upgrade.timer \\
  dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
apt-get clean
rm -rf /var/lib/apt/lists/*
`;

/** v1 controllers arrive read-only in a machine; runc wants to make cgroups in them. Nothing to do on cgroup v2. */
const CGROUP_UNIT = `[Unit]
Description=Writable cgroups for Docker
DefaultDependencies=no
Before=docker.service containerd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-cgroups
[Install]
WantedBy=multi-user.target
`;

const CGROUP_SCRIPT = `#!/bin/sh
[ -e /sys/fs/cgroup/cgroup.controllers ] && exit 0
mount -o remount,rw /sys/fs/cgroup
for name in cpu cpuacct cpuset memory devices freezer blkio pids; do
  dir=/sys/fs/cgroup/$name
  [ -d "$dir" ] || continue
  umount "$dir" 2>/dev/null
  mount -t cgroup -o "$name" "$name" "$dir"
done
exit 0
`;

/** The same for an image with Docker. HAProxy and etcd are there but off: units start them. */
export const DOCKER_SCRIPT = `set -e
cat > /etc/systemd/system/lab-cgroups.service <<'END'
${CGROUP_UNIT}END
cat > /usr/local/sbin/lab-cgroups <<'END'
${CGROUP_SCRIPT}END
chmod 0755 /usr/local/sbin/lab-cgroups
mkdir -p /etc/docker
echo '{"storage-driver": "vfs"}' > /etc/docker/daemon.json
systemctl enable lab-cgroups.service docker.service
systemctl disable haproxy.service etcd.service
rm -f /etc/resolv.conf
apt-get clean
rm -rf /var/lib/apt/lists/*
`;

/** A name for what a recipe makes: another recipe or list of packages is another image. */
export function imageName(docker: boolean): string {
  const recipe = [SUITE, process.arch, BASE, BASE_SCRIPT, ...(docker ? [DOCKER, DOCKER_SCRIPT] : [])];
  const hash = createHash('sha256').update(JSON.stringify(recipe)).digest('hex');
  return `rootfs-${hash.slice(0, 12)}`;
}
