/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests how probes are read, checked and expanded. */
#include "unit_config.h"

#include "config/placeholder.h"

#define WITH(probe) "subjects:\n  - name: lab\n    instances: 4\n    probes:\n      - " probe "\n" LAB_MEMBERS LATENCY

static void each_kind_is_read(void **state)
{
	struct config *config =
		load_valid("subjects:\n  - name: lab\n    instances: 4\n    probes:\n"
			   "      - {name: a, exec: x}\n"
			   "      - {name: b, tcp: '10.1.{instance}.2:2379', node: n2, every_ms: 5}\n"
			   "      - {name: c, http: 'http://{subject}.example:80/{node}', node: n1}\n"
			   "      - name: d\n        netns: 'lab-{instance}'\n        http:\n          url: "
			   "https://[fd00::1]/health\n"
			   "          status: 503\n          body: 'a|b'\n          json: {/up: true, /list/0: 1.50}\n"
			   "          ca: ca.pem\n          cert: /tls/cert.pem\n" LAB_MEMBERS LATENCY);
	const struct subject *subject = &config->subjects[0];
	struct probe probe = {};

	assert_int_equal(subject->probes[0].kind, PROBE_EXEC);
	assert_int_equal(subject->probes[1].kind, PROBE_TCP);
	assert_int_equal(subject->probes[2].kind, PROBE_HTTP);
	assert_int_equal(probe_expand(&probe, &subject->probes[1], subject, 3, NULL), 0);
	assert_string_equal(probe.tcp, "10.1.3.2:2379");
	assert_int_equal(probe.every_ms, 5);
	probe_clear(&probe);
	assert_int_equal(probe_expand(&probe, &subject->probes[2], subject, 0, NULL), 0);
	assert_string_equal(probe.http.url, "http://lab.example:80/n1");
	probe_clear(&probe);
	assert_int_equal(probe_expand(&probe, &subject->probes[3], subject, 2, NULL), 0);
	assert_string_equal(probe.netns, "lab-2");
	assert_int_equal(probe.http.status, 503);
	assert_string_equal(probe.http.body, "a|b");
	assert_string_equal(json_string_value(json_object_get(probe.http.json, "/up")), "true");
	assert_string_equal(json_string_value(json_object_get(probe.http.json, "/list/0")), "1.50");
	assert_string_equal(probe.http.cert, "/tls/cert.pem");
	assert_int_equal(probe.http.ca[0], '/');
	assert_string_equal(strrchr(probe.http.ca, '/'), "/ca.pem");
	assert_null(probe.http.key);
	probe_clear(&probe);
	config_free(config);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{WITH("{name: a}"), "a probe needs the key 'exec'"},
		{WITH("{name: a, exec: x, tcp: '1.2.3.4:5'}"), "one of the keys 'exec', 'tcp' and 'http', not 2"},
		{WITH("{name: a, tcp: 1.2.3.4}"), "'1.2.3.4' is not HOST:PORT"},
		{WITH("{name: a, tcp: '1.2.3.4:5-9'}"), "is not HOST:PORT"},
		{WITH("{name: a, tcp: '10.0.0.0/8'}"), "is not HOST:PORT"},
		{WITH("{name: a, tcp: 'host'}"), "'host' is not HOST:PORT"},
		{WITH("{name: a, tcp: 'x:99999'}"), "is not HOST:PORT"},
		{WITH("{name: a, http: 'ftp://x/'}"), "is neither a http:// nor a https:// URL"},
		{WITH("{name: a, http: '/health'}"), "is no URL like http://HOST:PORT/PATH"},
		{WITH("{name: a, http: {status: 200}}"), "http needs the key 'url'"},
		{WITH("{name: a, http: {url: 'http://x', status: 99}}"), "'status'"},
		{WITH("{name: a, http: {url: 'http://x', body: '('}}"), "must be an extended regular expression"},
		{WITH("{name: a, http: {url: 'http://x', json: {up: true}}}"), "a JSON pointer starts with '/'"},
		{WITH("{name: a, http: {url: 'http://x', json: 3}}"), "must be a mapping of 1 to 32 JSON pointers"},
		{WITH("{name: a, http: {url: 'http://x', method: POST}}"), "a probe only asks (GET)"},
		{WITH("{name: a, tcp: 'x:1', node: n9}"), "no node 'n9' in subject 'lab'"},
		{WITH("{name: a, tcp: 'x:1', node: n1, netns: y}"), "remove one of them"},
		{WITH("{name: a, tcp: '{node}:1'}"), "{node} is the node of the key 'node'"},
		{WITH("{name: a, tcp: '{nodes}:1'}"), "unknown placeholder '{nodes}'"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_refused_for(cases[i].text, cases[i].problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_read),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
