# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Debian's kernels for scripts/vm.sh: reads scripts/kernels.lock, fetches the kernels and keeps them in the cache. Packages are
# unpacked, not installed, and apt uses separate folders.
# shellcheck disable=SC2034,SC2154 # shared with scripts/vm.sh: top, run_folder, partial_folder, in_background, the tools

lock=${EVAL_KERNELS_LOCK:-$top/scripts/kernels.lock}
cache=${EVAL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/eval}
# The kernels' names, and the suites and mirrors where `refresh` looks; the second mirror has the releases that left the first.
kernel_names=(5.10 6.1 6.12 sid)
declare -A suites=([5.10]=bullseye [6.1]=bookworm [6.12]=trixie [sid]=sid)
mirrors=(http://deb.debian.org/debian http://archive.debian.org/debian)
# Modules that are loaded, with their dependencies, before the root file system is mounted.
boot_modules=(virtio_pci virtio_console 9pnet_virtio 9p overlay)

# lock_lines KERNEL: prints "PACKAGE VERSION SIZE INSTALLED_KIB SHA256 URL" per package.
lock_lines() {
	awk -v name="$1" '$1 == name { print $2, $3, $4, $5, $6, $7 }' "$lock"
}

known_kernel() {
	local name
	[[ -r $lock ]] || die "cannot read $lock: run scripts/vm.sh refresh"
	for name in "${kernel_names[@]}"; do
		[[ $name != "$1" ]] || {
			[[ -n $(lock_lines "$1") ]] || die "no kernel $1 in $lock: run scripts/vm.sh refresh"
			return 0
		}
	done
	wrong_usage "unknown kernel '$1': there are ${kernel_names[*]}"
}

# The folder's name has a hash of the kernel's lock lines, so that a refreshed kernel never mixes with an older one's files.
kernel_folder() {
	echo "$cache/kernels/$1-$(lock_lines "$1" | sha256sum | cut -c 1-12)"
}

is_cached() { [[ -e $(kernel_folder "$1")/release ]]; }

# --- Fetching -------------------------------------------------------------------------------------------------

check_space() {
	local needed available
	needed=$(lock_lines "$1" | awk '{ bytes += $3 + 1024 * $4 } END { print int(bytes / 1048576) + 64 }')
	available=$(df --output=avail -B 1M "$2" | tail -n 1)
	((available >= needed)) ||
		die "not enough space in $cache for kernel $1: needs $needed MiB, $((available)) are left (EVAL_CACHE names another folder)"
}

# download URL FILE SHA256
download() {
	local log=$2.log
	# shellcheck disable=SC2054 # apt's own options
	if ! in_background "$apt_helper" -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
		download-file "$1" "$2" "SHA256:$3" >"$log" 2>&1; then
		grep -qE '^  (404|410)  ' "$log" &&
			gone "$1 is no longer there: run scripts/vm.sh refresh"
		grep -q 'Hash Sum mismatch' "$log" && die "checksum mismatch: $1 is not what $lock says"
		die "broken download, try again: $(sed -n 's/^E: //p' "$log" | head -n 1)"
	fi
	rm -f "$log"
}

# Numbers the files in the order of insertion, which the guest has no tool to find out.
copy_boot_modules() {
	local folder=$1 release=$2 name path file count=10
	local -a paths=()
	for name in "${boot_modules[@]}"; do
		mapfile -t -O "${#paths[@]}" paths < <(awk -v name="$name" '
			{ file = $1; sub(/.*\//, "", file); sub(/\.ko.*/, "", file); gsub(/-/, "_", file) }
			file == name { for (i = NF; i > 1; i--) print $i; sub(/:$/, "", $1); print $1 }' \
			"$folder/lib/modules/$release/modules.dep")
		[[ ${#paths[@]} != 0 ]] || grep -qE "/${name//_/[_-]}\.ko" "$folder/lib/modules/$release/modules.builtin" ||
			die "kernel $release has no module $name"
	done
	mkdir "$folder/boot-modules" || die "cannot write to $cache"
	for path in "${paths[@]}"; do
		file=${path##*/}
		file=${file%.xz}
		compgen -G "$folder/boot-modules/*-$file" >/dev/null && continue
		case $path in
		*.xz) xz -dc "$folder/lib/modules/$release/$path" ;;
		*) cat "$folder/lib/modules/$release/$path" ;;
		esac >"$folder/boot-modules/$((count++))-$file" || die "cannot unpack $path"
	done
}

# Moves image and modules to fixed places, because the packages differ in where they keep them.
arrange() {
	local folder=$1 release image
	release=$(cd "$folder/unpacked" && echo {usr/,}lib/modules/*/kernel | tr ' ' '\n' | grep -v '\*')
	release=$(basename "$(dirname "$release")")
	image=$(find "$folder/unpacked" -name 'vmlinuz*' -type f | head -n 1)
	[[ -n $release && -n $image ]] || die "kernel $2's packages hold no image or no modules"
	mkdir -p "$folder/lib/modules"
	mv "$image" "$folder/vmlinuz" && mv "$folder"/unpacked/{usr/,}lib/modules/"$release" "$folder/lib/modules/" 2>/dev/null
	[[ -d $folder/lib/modules/$release/kernel ]] || die "cannot move the modules of $release"
	depmod -b "$folder" "$release" || die "depmod failed for $release"
	copy_boot_modules "$folder" "$release"
	rm -rf "$folder/unpacked"
	echo "$release" >"$folder/release" || die "cannot write to $cache"
}

# fetch KERNEL: makes its folder with vmlinuz, release, boot-modules and lib/modules. The folder is complete or does not exist.
fetch() {
	local folder partial package version sha url
	folder=$(kernel_folder "$1")
	need_tools "${fetch_tools[@]}"
	{ mkdir -p "$cache/kernels" && exec {cache_lock}>"$cache/lock.$1"; } 2>/dev/null ||
		die "cannot write to the cache folder $cache (EVAL_CACHE names another)"
	if ! flock -n "$cache_lock"; then
		echo "vm: $1: waiting for another scripts/vm.sh that fetches it" >&2
		in_background flock "$cache_lock" || die "cannot lock $cache/lock.$1"
	fi
	if ! is_cached "$1"; then
		rm -rf "$cache/kernels/$1"-*.partial
		check_space "$1" "$cache/kernels"
		partial=$folder.partial
		partial_folder=$partial
		mkdir -p "$partial/unpacked" || die "cannot write to $cache"
		while read -r package version _ _ sha url; do
			echo "vm: $1: downloading $package $version" >&2
			download "$url" "$partial/package.deb" "$sha"
			dpkg-deb -x "$partial/package.deb" "$partial/unpacked" || die "cannot unpack $package into $cache"
			rm -f "$partial/package.deb"
		done < <(lock_lines "$1")
		arrange "$partial" "$1"
		mv "$partial" "$folder" || die "cannot write to $cache"
		partial_folder=
		remove_older "$1" "$folder"
	fi
	exec {cache_lock}>&-
}

# use_folder FOLDER: keeps remove_older from removing it until this process ends. Fails if it has been removed.
use_folder() {
	{ exec {use_lock}<"$1/release" && flock -s -n "$use_lock"; } 2>/dev/null && [[ -e $1/release ]]
}

# Removes the kernel's older folders, except those in use: a running guest still reads its modules.
remove_older() {
	local old
	for old in "$cache/kernels/$1"-*; do
		[[ $old == "$2" ]] || flock -n "$old/release" rm -rf "$old" ||
			echo "vm: $1: ${old##*/} is in use and stays for now" >&2
	done
}

# --- Refreshing the lock --------------------------------------------------------------------------------------

# apt_in FOLDER PROGRAM ARGUMENT…: runs apt with its own lists, sources and preferences; only the host's apt.conf applies.
apt_in() {
	local folder=$1 program=$2
	shift 2
	"$program" -q -o "Dir::State=$folder/state" -o "Dir::Cache=$folder/cache" -o Dir::State::status=/dev/null \
		-o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o APT::Architecture=amd64 -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

# newest_packages FOLDER: prints the image that linux-image-amd64 depends on, and the packages that it is split into.
newest_packages() {
	local image
	image=$(apt_in "$1" apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
	[[ -n $image ]] || return 1
	echo "$image"
	apt_in "$1" apt-cache depends "$image" |
		awk -v release="${image#linux-image-}" '$1 == "Depends:" && $2 ~ "^linux-(base|binary|modules)-" &&
			substr($2, length($2) - length(release) + 1) == release { print $2 }'
}

# lock_kernel NAME FOLDER MIRROR: prints the kernel's lines for the lock.
lock_kernel() {
	local package
	mkdir -p "$2/state/lists/partial" "$2/cache/archives/partial" || return 1
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $3 ${suites[$1]} main" >"$2/sources.list"
	apt_in "$2" apt-get update >"$2/log" 2>&1 || return 1
	! grep -q '^[EW]: Failed' "$2/log" || return 1
	for package in $(newest_packages "$2"); do
		apt_in "$2" apt-cache --no-all-versions show "$package" | awk -v OFS=' ' -v name="$1" -v mirror="$3" '
			{ value[$1] = $2 }
			END { print name, value["Package:"], value["Version:"], value["Size:"], value["Installed-Size:"],
				value["SHA256:"], mirror "/" value["Filename:"] }'
	done | grep . || return 1
}

refresh() {
	local name mirror lines missed=() new=$run_folder/kernels.lock
	need_tools apt-get:apt
	cat >"$new" <<-'END'
		# Debian's kernels for scripts/vm.sh; written by `scripts/vm.sh refresh`.
		# KERNEL PACKAGE VERSION SIZE INSTALLED_KIB SHA256 URL
	END
	for name in "${kernel_names[@]}"; do
		lines=
		for mirror in "${mirrors[@]}"; do
			lines=$(lock_kernel "$name" "$run_folder/apt-$name" "$mirror") && break
		done
		[[ -n $lines ]] || {
			missed+=("$name")
			echo "vm: $name: cannot read Debian's ${suites[$name]}: $(grep -m 1 '^[EW]:' "$run_folder/apt-$name/log")" >&2
			[[ ! -r $lock ]] || lines=$(grep "^$name " "$lock")
		}
		[[ -z $lines ]] || echo "$lines" >>"$new"
	done
	cp "$new" "$lock" || die "cannot write $lock"
	((${#missed[@]} == 0)) || die "not refreshed: ${missed[*]}"
}
