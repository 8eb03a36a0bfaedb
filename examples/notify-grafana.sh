#!/bin/sh
# Posts what eval does as annotations to Grafana. In the campaign file:
#
#     notify: {exec: "GRAFANA_URL=https://grafana.example GRAFANA_TOKEN_FILE=/etc/eval/grafana-token ./notify-grafana.sh"}
#
# GRAFANA_TOKEN_FILE has one line, "Authorization: Bearer TOKEN", so that the token is in no command line; the token needs the
# role to write annotations. Needs curl and jq.
set -eu
: "${GRAFANA_URL:?}" "${GRAFANA_TOKEN_FILE:?}"
jq -c '{
	time: (.at | sub("\\.[0-9]+Z$"; "Z") | fromdate * 1000),
	tags: ["eval", .event, .subject, .chaos],
	text: "\(.event): \(.trial)\(if .target_node then " on " + .target_node else "" end)\(if .event == "end" then ": " + .status + ", verdict " + .verdict else "" end)"
}' |
	curl --silent --show-error --fail --max-time 8 --header "Content-Type: application/json" \
		--header "@$GRAFANA_TOKEN_FILE" --data-binary @- "$GRAFANA_URL/api/annotations" >/dev/null
