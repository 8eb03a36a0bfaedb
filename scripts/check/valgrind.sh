#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs tests with ./eval and its children under valgrind's memcheck; exits 1 on any error or leak.
# usage: scripts/check/valgrind.sh [SUITE | SUITE/NAME]…, default cli. Works in a copy of the tree, below build/valgrind.
# Failed tests are listed but do not count, because eval is 30 times slower and the tests' time limits do not fit.
# Debian 12's valgrind does not know pidfd_open, so Debian 13's is unpacked below build/, not installed.
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

package=http://deb.debian.org/debian/pool/main/v/valgrind/valgrind_3.24.0-3_amd64.deb
sha256=0359e30820ccee7ee5c8d4c951ca276e3978b18f157d71bd77981de05b344907
# Below the tree, because tests that give up root may be unable to read a cache in root's home.
valgrind=$(realpath -m "${BUILD:-build}")/valgrind-${sha256:0:12}

die() {
	echo "valgrind: $*" >&2
	exit 1
}

# Unpacks valgrind; its folder is complete or does not exist.
fetch() {
	local partial=$valgrind.partial
	{ rm -rf "$partial" && mkdir -p "$partial"; } || die "cannot write to $partial"
	curl -sSfL --retry 2 --max-time 300 -o "$partial/deb" "$package" || die "cannot download $package"
	sha256sum --quiet -c <<<"$sha256  $partial/deb" || die "checksum mismatch: $package"
	{ dpkg-deb -x "$partial/deb" "$partial" && rm "$partial/deb" && mv "$partial" "$valgrind"; } || die "cannot unpack into $partial"
}

(($#)) || set -- cli
[[ -d $valgrind ]] || fetch
tree=${BUILD:-build}/valgrind
rm -rf "$tree" && mkdir -p "$tree" || exit 1
git ls-files -z | tar -c --null -T - | tar -x -C "$tree" || exit 1
cd "$tree" || exit 1
mapfile -t tools < <(basename -s .c tests/tools/*.c)
make -j"$(nproc)" CFLAGS="-O1 -g -include $PWD/scripts/check/valgrind.h" eval "${tools[@]/#/build/tools/}" || exit 1
mkdir -p build/memcheck && chmod 1777 build/memcheck # some tests give up root
mv eval build/eval-itself
cat >./eval <<END
#!/bin/sh
export VALGRIND_LIB=$valgrind/usr/libexec/valgrind
exec $valgrind/usr/bin/valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect \
	--suppressions=$PWD/scripts/check/valgrind.supp --child-silent-after-fork=no --log-file=$PWD/build/memcheck/%p \
	$PWD/build/eval-itself "\$@"
END
chmod +x eval
EVAL_TIME_FACTOR=10 tests/run "$@"

# Warnings about the ioctl NS_GET_NSTYPE and bpf() commands that valgrind does not know are not findings.
sed -i '/^--[0-9]*-- WARNING: unhandled eBPF command/d; /^==[0-9]*== \(Warning: noted but unhandled ioctl\|   This could cause spurious value\|   See README_MISSING_SYSCALL\)/d' \
	build/memcheck/*
mapfile -t logs < <(grep -lE '^==[0-9]+== ' build/memcheck/* 2>/dev/null)
echo "valgrind: $(find build/memcheck -type f | wc -l) processes, ${#logs[@]} of them with findings"
((${#logs[@]} == 0)) || { head -n 40 "${logs[@]}" | head -n 400; exit 1; }
