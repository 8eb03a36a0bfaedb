/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the parsing of addresses and of ports to protect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "net/endpoint.h"
#include "target/target.h"
#include "util/cleanup.h"

static void texts_that_are_addresses(void **state)
{
	static const struct {
		const char *text, *formatted;
		uint16_t port;
		bool ipv4;
	} cases[] = {
		{"1.2.3.4", "1.2.3.4", 0, true},
		{"1.2.3.4:80", "1.2.3.4:80", 80, true},
		{"0.0.0.0", "0.0.0.0", 0, true},
		{"255.255.255.255:65535", "255.255.255.255:65535", 65535, true},
		{"fd00::1", "fd00::1", 0, false},
		{"[fd00::1]", "fd00::1", 0, false},
		{"[fd00::1]:2380", "[fd00::1]:2380", 2380, false},
		{"FD00:0:0::01", "fd00::1", 0, false},
		{"::1", "::1", 0, false},
		{"::", "::", 0, false},
		{"::ffff:10.0.0.1", "10.0.0.1", 0, true},
		{"[::ffff:10.0.0.1]:80", "10.0.0.1:80", 80, true},
		{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 0, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct endpoint endpoint;
		char text[ENDPOINT_TEXT_SIZE];
		struct error err = {0};

		if (endpoint_parse(&endpoint, cases[i].text, &err))
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_int_equal(endpoint.port, cases[i].port);
		assert_int_equal(endpoint_is_ipv4(&endpoint), cases[i].ipv4);
		assert_string_equal(endpoint_format(&endpoint, text), cases[i].formatted);
	}
}

static void ipv4_is_mapped(void **state)
{
	static const uint8_t wanted[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 0, [14] = 0, [15] = 7};
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(&endpoint, "10.0.0.7", NULL), 0);
	assert_memory_equal(endpoint.address, wanted, sizeof(wanted));
}

static void texts_that_are_not(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"1.2.3.04",
		" 1.2.3.4",
		"1.2.3.4 ",
		"1.2.3.4:",
		"1.2.3.4:0",
		"1.2.3.4:65536",
		"1.2.3.4:080",
		"1.2.3.4:-1",
		"1.2.3.4:+1",
		"1.2.3.4:99999999999999999999",
		"1.2.3.4:80x",
		"1.2.3.4:80:90",
		"1.2.3.4:80-",
		"1.2.3.4:80-80",
		"1.2.3.4:90-80",
		"1.2.3.4:80-65536",
		"1.2.3.4:4294967376-4294967380",
		"1.2.3.4:80-90-100",
		"host",
		"host:80",
		"[fd00::1",
		"[fd00::1]80",
		"[fd00::1]:",
		"[fd00::1]:0",
		"fd00::1]",
		"[1.2.3.4]",
		"[1.2.3.4]:80",
		"[]",
		"[]:80",
		":",
		"::1::",
		"fd00::1%eth0",
		"12345::",
		":80",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct endpoint endpoint = {.port = 4711};
		struct error err = {0};

		if (endpoint_parse(&endpoint, texts[i], &err) != -EINVAL)
			fail_msg("'%s' was taken for an address", texts[i]);
		assert_int_equal(endpoint.port, 4711);
		assert_true(err.text[0] && err.code == -EINVAL);
	}
}

static void peers_that_are_more(void **state)
{
	static const struct {
		const char *text, *formatted, *inside, *outside;
	} cases[] = {
		{"10.0.0.0/8", "10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
		{"10.0.0.4/30", "10.0.0.4/30", "10.0.0.7", "10.0.0.8"},
		{"128.0.0.0/1", "128.0.0.0/1", "255.0.0.1", "127.255.255.255"},
		{"10.0.0.1/32", "10.0.0.1", "10.0.0.1", "10.0.0.0"},
		{"fd00::/64", "fd00::/64", "fd00::ffff:0:0:1", "fd00:0:0:1::"},
		{"fd00::1/128", "fd00::1", "fd00::1", "fd00::"},
		{"8000::/1", "8000::/1", "ffff::", "7fff::"},
		{"fe80::1%eth0", "fe80::1%eth0", "fe80::1", "fe80::2"},
		{"[fe80::1%eth0]:80", "[fe80::1%eth0]:80", "fe80::1", "fe80::2"},
		{"10.0.0.1:80", "10.0.0.1:80", "10.0.0.1", "10.0.0.2"},
		{"10.0.0.1:80-90", "10.0.0.1:80-90", "10.0.0.1", "10.0.0.2"},
		{"[fd00::1]:1-65535", "[fd00::1]:1-65535", "fd00::1", "fd00::2"},
	};
	static const char *const wrong[] = {
		"10.0.0.0/0",      "10.0.0.0/33",
		"10.0.0.0/",       "10.0.0.1/8",
		"10.0.0.0/8:80",   "10.0.0.0:80/8",
		"fd00::/129",      "fd00::1/64",
		"[fd00::]/64",     "fd00::/-1",
		"fd00::1%eth0",    "fe80::1%",
		"fe80::1%eth0/64", "fe80::1%0123456789abcdef",
		"10.0.0.1%eth0",   "host/8",
		"fe80::1%a%b",     "::/0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct endpoint endpoint, inside, outside;
		char text[ENDPOINT_TEXT_SIZE];
		struct error err = {0};

		if (endpoint_parse_peer(&endpoint, cases[i].text, &err))
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_string_equal(endpoint_format(&endpoint, text), cases[i].formatted);
		assert_int_equal(endpoint_parse(&inside, cases[i].inside, NULL), 0);
		assert_int_equal(endpoint_parse(&outside, cases[i].outside, NULL), 0);
		assert_true(endpoint_covers(&endpoint, inside.address));
		assert_false(endpoint_covers(&endpoint, outside.address));
		if (strchr(cases[i].formatted, '%'))
			assert_int_equal(endpoint_parse(&endpoint, cases[i].text, NULL), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct endpoint endpoint;

		if (endpoint_parse_peer(&endpoint, wrong[i], NULL) != -EINVAL)
			fail_msg("'%s' was taken for a peer", wrong[i]);
	}
}

static void ranges_of_ports(void **state)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(&endpoint, "10.0.0.1:20160-20163", NULL), 0);
	assert_int_equal(endpoint.port, 20160);
	assert_int_equal(endpoint.last_port, 20163);
	assert_int_equal(endpoint_port_count(&endpoint), 4);
	assert_int_equal(endpoint_parse(&endpoint, "10.0.0.1:20160", NULL), 0);
	assert_int_equal(endpoint_port_count(&endpoint), 1);
	assert_int_equal(endpoint_parse(&endpoint, "10.0.0.1", NULL), 0);
	assert_int_equal(endpoint_port_count(&endpoint), 1);
}

static void names_of_hosts(void **state)
{
	static const struct {
		const char *text, *name;
		uint16_t port, last_port;
	} cases[] = {
		{"host", "host", 0, 0},
		{"pd-0.pd.svc:2379", "pd-0.pd.svc", 2379, 0},
		{"tikv_1.local.:20160-20163", "tikv_1.local.", 20160, 20163},
		{"10.0.0.1.nip.io", "10.0.0.1.nip.io", 0, 0},
		{"3com", "3com", 0, 0},
	};
	static const char *const wrong[] = {
		"",       "10.0.0.1", "10.0.0.300", "1.2.3", "fd00::1", "[fd00::1]:80", "host:",
		"host:0", "host:80-", "host:90-80", "ho st", "a..b",    ".a",           "a/8",
		"a%b",    "a\nb",     "-",          "a.1",   "host:a",  "h\xc3\xb6st",  "a:80:90",
	};
	struct host_name name;
	char text[300];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!host_name_parse(&name, cases[i].text))
			fail_msg("'%s' was not taken for a host name", cases[i].text);
		assert_string_equal(name.name, cases[i].name);
		assert_int_equal(name.port, cases[i].port);
		assert_int_equal(name.last_port, cases[i].last_port);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (host_name_parse(&name, wrong[i]))
			fail_msg("'%s' was taken for a host name", wrong[i]);
	memset(text, 'a', sizeof(text));
	text[HOST_NAME_SIZE - 1] = '\0';
	assert_true(host_name_parse(&name, text));
	text[HOST_NAME_SIZE - 1] = 'a';
	text[HOST_NAME_SIZE] = '\0';
	assert_false(host_name_parse(&name, text));
}

static void ports_to_protect(void **state)
{
	static const char *const wrong[] = {"",       "22",     "tcp",     "tcp/",    "tcp/0",  "tcp/65536",
					    "TCP/22", "icmp/1", "tcp/22 ", "tcp/ssh", "udp/-1", "tcp22"};
	struct protect_port port;

	assert_int_equal(protect_parse(&port, "tcp/22", NULL), 0);
	assert_true(port.protocol == IPPROTO_TCP && port.port == 22 && !port.local_only);
	assert_int_equal(protect_parse(&port, "udp/65535", NULL), 0);
	assert_true(port.protocol == IPPROTO_UDP && port.port == 65535);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct error err = {0};

		assert_int_equal(protect_parse(&port, wrong[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "tcp/22"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_that_are_addresses), cmocka_unit_test(ipv4_is_mapped),
		cmocka_unit_test(texts_that_are_not),       cmocka_unit_test(peers_that_are_more),
		cmocka_unit_test(ranges_of_ports),          cmocka_unit_test(names_of_hosts),
		cmocka_unit_test(ports_to_protect),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
