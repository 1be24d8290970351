#!/bin/bash
# Process 1 of a machine: init.sh FOLDER NAME COMMANDS SHOWN... < mounts of control groups. It sees the host's files, but what
# it writes stays in FOLDER; then it waits for whatever ends under it, as an init does.
set -eu
folder=$1 name=$2 commands=$3
shift 3
root=$folder/root

mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/run/lock" "$root/run/netns"
for place; do # on another file system than /, or hidden by one of the above
  [ -e "$root$place" ] && continue
  mkdir -p "$root$place"
  mount --rbind "$place" "$root$place"
  mount -o remount,bind,ro "$root$place"
done

# An overlay cannot lie on an overlay, and what nodes keep is what the tests are about: plain folders for these.
for state in containerd kubelet cni eclip; do
  mkdir -p "$folder/lib/$state" "$root/var/lib/$state"
  mount --bind "$folder/lib/$state" "$root/var/lib/$state"
done
mkdir -p "$root/machine"
mount --bind "$folder/log" "$root/var/log"
mount --bind "$folder/files" "$root/machine"
mount --bind "$commands" "$root/machine/bin"
cp "$folder/files/hosts" "$root/etc/hosts"
rm -f "$root/etc/resolv.conf" # may be a link out of here
: >"$root/etc/resolv.conf"

while read -r place kind options; do
  [ "$place" = /sys/fs/cgroup ] || mountpoint -q "$root/sys/fs/cgroup" || mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  mkdir -p "$root$place"
  mount -t "$kind" ${options:+-o "$options"} "$kind" "$root$place"
done

mkdir "$root/.old"
cd "$root"
pivot_root . .old
umount -l /.old
rmdir /.old
mount --make-rshared /
hostname "$name"

# Version 2 lets no group hold both processes and groups with controllers, and kubelet makes groups at the root.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/init
  echo 1 >/sys/fs/cgroup/init/cgroup.procs
fi

touch /run/up
exec </dev/null
trap : TERM INT
while :; do
  sleep 86400 &
  wait $! || true
done
