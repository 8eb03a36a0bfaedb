/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/formats.h"

const struct report_format report_formats[] = {
	{"html", "one page that needs nothing else, for people", report_html},
	{"json", "all of it, by docs/report.schema.json", report_json},
	{"csv", "a row for each trial and probe", report_csv},
	{"csv-samples", "a row for each sample", report_csv_samples},
	{"csv-metrics", "a row for each value of a metric, and of the kernel's hits", report_csv_metrics},
	{"junit", "for CI: a suite for each chaos type, a case for each trial", report_junit},
	{"markdown", "a summary, as for a CI step", report_markdown},
	{"openmetrics", "for Prometheus and its kin", report_openmetrics},
	{"annotations", "for Grafana: the faults as regions", report_annotations},
	{},
};
