-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
-- A campaign as schema 1 keeps it: five trials, one failed, one missed an expectation, one not run yet.
PRAGMA application_id = 1163280716;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "campaigns" (
  "id" TEXT PRIMARY KEY NOT NULL,
  "label" TEXT,
  "status" TEXT NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'running', 'completed', 'interrupted')),
  "hash" TEXT NOT NULL,
  "seed" TEXT NOT NULL,
  "config" TEXT NOT NULL,
  "config_path" TEXT,
  "config_text" TEXT,
  "command_line" TEXT,
  "parallel" INTEGER,
  "cooldown_seconds" REAL,
  "trial_count" INTEGER,
  "host" TEXT,
  "kernel" TEXT,
  "boot_id" TEXT,
  "eval_version" TEXT,
  "features" TEXT,
  "holder_pid" INTEGER,
  "exit_code" INTEGER,
  "summary" TEXT,
  "created_at" TEXT NOT NULL,
  "started_at" TEXT,
  "started_at_monotonic_ns" INTEGER,
  "ended_at" TEXT,
  "ended_at_monotonic_ns" INTEGER
) STRICT;
INSERT INTO campaigns VALUES('campaign-20261123T215643Z-3fd12c05','raft-network','interrupted','3fd12c05aa8a0b7c6d5e4f30213243546576879809a0b1c2d3e4f5061728394a','7','{"subjects":["etcd-lab"]}','/srv/etcd-lab.yaml',NULL,'eval run campaign etcd-lab.yaml',2,0.0,5,'lab1','6.18.0',NULL,'0.1.0',NULL,NULL,NULL,NULL,'2026-11-23T21:56:43.000001Z','2026-11-23T21:43:23.000001Z',100000000000,NULL,NULL);
CREATE TABLE IF NOT EXISTS "trials" (
  "campaign_id" TEXT NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE,
  "id" TEXT NOT NULL,
  "trial_index" INTEGER NOT NULL,
  "subject" TEXT NOT NULL,
  "chaos" TEXT NOT NULL,
  "type" TEXT,
  "repetition" INTEGER NOT NULL,
  "baseline" INTEGER NOT NULL DEFAULT 0 CHECK (baseline IN (0, 1)),
  "attempt" INTEGER NOT NULL DEFAULT 0,
  "instance" INTEGER,
  "fresh" INTEGER CHECK (fresh IN (0, 1)),
  "seed" TEXT NOT NULL,
  "status" TEXT NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'running', 'completed', 'failed', 'void', 'interrupted')),
  "verdict" TEXT NOT NULL DEFAULT 'none' CHECK (verdict IN ('none', 'pass', 'fail')),
  "error_stage" TEXT CHECK (error_stage IN ('reset', 'ready', 'warmup', 'inject', 'hold', 'revert', 'recover', 'check')),
  "error_errno" INTEGER,
  "error_text" TEXT,
  "settings" TEXT,
  "target_asked" TEXT,
  "target_node" TEXT,
  "target_role" TEXT,
  "engine" TEXT,
  "params_asked" TEXT,
  "params_effective" TEXT,
  "started_at" TEXT,
  "started_at_monotonic_ns" INTEGER,
  "healthy_at" TEXT,
  "healthy_at_monotonic_ns" INTEGER,
  "chaos_injected_at" TEXT,
  "chaos_injected_at_monotonic_ns" INTEGER,
  "first_effect_at" TEXT,
  "first_effect_at_monotonic_ns" INTEGER,
  "chaos_reverted_at" TEXT,
  "chaos_reverted_at_monotonic_ns" INTEGER,
  "recovered_at" TEXT,
  "recovered_at_monotonic_ns" INTEGER,
  "ended_at" TEXT,
  "ended_at_monotonic_ns" INTEGER,
  "ticket_created_at" TEXT,
  "resolved_at" TEXT,
  "initial_state" TEXT,
  "final_state" TEXT,
  "chaos_metadata" TEXT,
  "commands_json" TEXT,
  "evidence" TEXT,
  "summary" TEXT,
  "expectations" TEXT,
  PRIMARY KEY (campaign_id, id)
) STRICT;
INSERT INTO trials VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'etcd-lab','baseline',NULL,1,1,1,0,1,'18446744073709551615','completed','pass',NULL,NULL,NULL,'{"warmup_seconds":5.0,"duration_seconds":30.0,"recovery_seconds":30.0,"retries":1,"expect":{"availability_min":0.90000000000000002,"p99_ms_max":null,"recover_within_seconds":10.0}}',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-23T21:46:43.000000Z',200000000000,'2026-11-23T21:46:48.000000Z',205000000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-23T21:47:48.000000Z',265000000000,NULL,NULL,NULL,NULL,NULL,'[{"name":"reset","phase":"reset","exec":"scripts/lab.sh reset","exit_code":0,"seconds":0.31,"output":"starting n1\nstarting n2 \u001B[31mred\u001B[0m �\nup\n�"},{"name":"ready","phase":"ready","exec":"scripts/lab.sh ready","exit_code":0,"seconds":0.050000000000000003,"timed_out":false,"output":""}]',NULL,'{"probes":{"put":{"before":{"count":300,"good":300,"availability":1.0,"p50_ms":2.2490000000000001,"p99_ms":2.3959999999999999,"max_ms":2.399},"during":{"count":0,"good":0,"availability":null,"p50_ms":null,"p99_ms":null,"max_ms":null},"after":{"count":0,"good":0,"availability":null,"p50_ms":null,"p99_ms":null,"max_ms":null}}},"recovery_seconds":null,"before":{"count":300,"good":300,"availability":1.0,"p50_ms":2.2490000000000001,"p99_ms":2.3959999999999999,"max_ms":2.399},"during":{"count":0,"good":0,"availability":null,"p50_ms":null,"p99_ms":null,"max_ms":null},"after":{"count":0,"good":0,"availability":null,"p50_ms":null,"p99_ms":null,"max_ms":null}}',NULL);
INSERT INTO trials VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',2,'etcd-lab','slow-leader','latency',1,0,1,0,1,'18446744073709551614','completed','pass',NULL,NULL,NULL,'{"warmup_seconds":5.0,"duration_seconds":30.0,"recovery_seconds":30.0,"retries":1,"expect":{"availability_min":0.90000000000000002,"p99_ms_max":null,"recover_within_seconds":10.0}}','leader','n2','leader','tap','{"min_ms":50.0,"max_ms":150.0,"direction":"both"}','{"min_ms":50.0,"max_ms":150.0,"direction":"both"}','2026-11-23T21:48:23.000000Z',300000000000,'2026-11-23T21:48:28.000000Z',305000000000,'2026-11-23T21:48:33.000000Z',310000000000,'2026-11-23T21:48:33.001234Z',310001234567,'2026-11-23T21:49:03.000000Z',340000000000,'2026-11-23T21:49:04.300000Z',341300000000,'2026-11-23T21:49:28.000000Z',365000000000,NULL,NULL,NULL,NULL,NULL,'[{"name":"reset","phase":"reset","exec":"scripts/lab.sh reset","exit_code":0,"seconds":0.31,"output":"starting n1\nstarting n2 \u001B[31mred\u001B[0m �\nup\n�"},{"name":"ready","phase":"ready","exec":"scripts/lab.sh ready","exit_code":0,"seconds":0.050000000000000003,"timed_out":false,"output":""}]','{"engine":"tap","seen":1500,"hit":1234,"bytes":98765,"first_hit_ns":310001234567,"devices":[{"device":"eth0","ifindex":2,"egress":{"seen":1500,"hit":1234,"bytes":98765,"drawn":{"count":1234,"mean_us":98300.0,"log2_us":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,700,534]},"applied":{"count":1234,"mean_us":101200.0,"log2_us":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,650,584]}}}],"line_dropped":0}','{"probes":{"put":{"before":{"count":25,"good":25,"availability":1.0,"p50_ms":2.1120000000000001,"p99_ms":null,"max_ms":2.1240000000000001},"during":{"count":150,"good":150,"availability":1.0,"p50_ms":103.099,"p99_ms":103.173,"max_ms":103.17400000000001},"after":{"count":125,"good":125,"availability":1.0,"p50_ms":2.3370000000000002,"p99_ms":2.3980000000000001,"max_ms":2.399}}},"recovery_seconds":1.3,"before":{"count":25,"good":25,"availability":1.0,"p50_ms":2.1120000000000001,"p99_ms":null,"max_ms":2.1240000000000001},"during":{"count":150,"good":150,"availability":1.0,"p50_ms":103.099,"p99_ms":103.173,"max_ms":103.17400000000001},"after":{"count":125,"good":125,"availability":1.0,"p50_ms":2.3370000000000002,"p99_ms":2.3980000000000001,"max_ms":2.399}}','[{"name":"availability_min","asked":0.90000000000000002,"measured":1.0,"ok":true},{"name":"recover_within_seconds","asked":10.0,"measured":1.3,"ok":true}]');
INSERT INTO trials VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',3,'etcd-lab','cut-leader','network_partition',1,0,1,0,1,'18446744073709551613','completed','fail',NULL,NULL,NULL,'{"warmup_seconds":5.0,"duration_seconds":30.0,"recovery_seconds":30.0,"retries":1,"expect":{"availability_min":0.90000000000000002,"p99_ms_max":null,"recover_within_seconds":10.0}}','leader','n2','leader','tc','{"min_ms":50.0,"max_ms":150.0,"direction":"both"}','{"min_ms":50.0,"max_ms":150.0,"direction":"both"}','2026-11-23T21:50:03.000000Z',400000000000,'2026-11-23T21:50:08.000000Z',405000000000,'2026-11-23T21:50:13.000000Z',410000000000,'2026-11-23T21:50:13.001234Z',410001234567,'2026-11-23T21:50:43.000000Z',440000000000,'2026-11-23T21:50:44.300000Z',441300000000,'2026-11-23T21:51:08.000000Z',465000000000,NULL,NULL,NULL,NULL,NULL,'[{"name":"reset","phase":"reset","exec":"scripts/lab.sh reset","exit_code":0,"seconds":0.31,"output":"starting n1\nstarting n2 \u001B[31mred\u001B[0m �\nup\n�"},{"name":"ready","phase":"ready","exec":"scripts/lab.sh ready","exit_code":0,"seconds":0.050000000000000003,"timed_out":false,"output":""}]','{"engine":"tc","seen":1500,"hit":812,"bytes":98765,"first_hit_ns":410001234567,"devices":[{"device":"eth0","ifindex":2,"egress":{"seen":812,"hit":812,"bytes":98765}}],"line_dropped":0}','{"probes":{"put":{"before":{"count":25,"good":25,"availability":1.0,"p50_ms":2.1120000000000001,"p99_ms":null,"max_ms":2.1240000000000001},"during":{"count":150,"good":143,"availability":0.95333333333333337,"p50_ms":2.2029999999999998,"p99_ms":2.2730000000000001,"max_ms":2.274},"after":{"count":125,"good":125,"availability":1.0,"p50_ms":2.3370000000000002,"p99_ms":2.3980000000000001,"max_ms":2.399}}},"recovery_seconds":1.3,"before":{"count":25,"good":25,"availability":1.0,"p50_ms":2.1120000000000001,"p99_ms":null,"max_ms":2.1240000000000001},"during":{"count":150,"good":143,"availability":0.95333333333333337,"p50_ms":2.2029999999999998,"p99_ms":2.2730000000000001,"max_ms":2.274},"after":{"count":125,"good":125,"availability":1.0,"p50_ms":2.3370000000000002,"p99_ms":2.3980000000000001,"max_ms":2.399}}','[{"name":"availability_min","asked":0.90000000000000002,"measured":0.84670000000000001,"ok":false},{"name":"recover_within_seconds","asked":10.0,"measured":1.3,"ok":true}]');
INSERT INTO trials VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0004',4,'etcd-lab','slow-leader','latency',2,0,1,0,1,'18446744073709551612','failed','none','ready',-110,'''scripts/lab.sh ready'' did not exit 0 within 30 s','{"warmup_seconds":5.0,"duration_seconds":30.0,"recovery_seconds":30.0,"retries":1,"expect":{"availability_min":0.90000000000000002,"p99_ms_max":null,"recover_within_seconds":10.0}}','leader',NULL,NULL,NULL,'{"min_ms":50.0,"max_ms":150.0,"direction":"both"}',NULL,'2026-11-23T21:51:43.000000Z',500000000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-23T21:52:48.000000Z',565000000000,NULL,NULL,NULL,NULL,NULL,'[{"name":"reset","phase":"reset","exec":"scripts/lab.sh reset","exit_code":0,"seconds":0.31,"output":"starting n1\nstarting n2 \u001B[31mred\u001B[0m �\nup\n�"},{"name":"ready","phase":"ready","exec":"scripts/lab.sh ready","exit_code":1,"seconds":30.0,"timed_out":true,"output":""}]',NULL,NULL,NULL);
INSERT INTO trials VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0005',5,'etcd-lab','cut-leader','network_partition',2,0,0,NULL,1,'18446744073709551611','planned','none',NULL,NULL,NULL,'{"warmup_seconds":5.0,"duration_seconds":30.0,"recovery_seconds":30.0,"retries":1,"expect":{"availability_min":0.90000000000000002,"p99_ms_max":null,"recover_within_seconds":10.0}}','leader',NULL,NULL,NULL,'{"min_ms":50.0,"max_ms":150.0,"direction":"both"}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE IF NOT EXISTS "attempts" (
  "campaign_id" TEXT NOT NULL,
  "trial_id" TEXT NOT NULL,
  "attempt" INTEGER NOT NULL,
  "instance" INTEGER,
  "worker_pid" INTEGER,
  "boot_id" TEXT,
  "status" TEXT NOT NULL DEFAULT 'running' CHECK (status IN ('planned', 'running', 'completed', 'failed', 'void', 'interrupted')),
  "verdict" TEXT NOT NULL DEFAULT 'none' CHECK (verdict IN ('none', 'pass', 'fail')),
  "error_stage" TEXT CHECK (error_stage IN ('reset', 'ready', 'warmup', 'inject', 'hold', 'revert', 'recover', 'check')),
  "error_errno" INTEGER,
  "error_text" TEXT,
  "target_node" TEXT,
  "engine" TEXT,
  "started_at" TEXT,
  "started_at_monotonic_ns" INTEGER,
  "ended_at" TEXT,
  "ended_at_monotonic_ns" INTEGER,
  "commands_json" TEXT,
  "evidence" TEXT,
  "summary" TEXT,
  PRIMARY KEY (campaign_id, trial_id, attempt), FOREIGN KEY (campaign_id, trial_id) REFERENCES trials (campaign_id, id) ON DELETE CASCADE
) STRICT;
INSERT INTO attempts VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,NULL,NULL,NULL,'completed','none',NULL,NULL,NULL,NULL,NULL,'2026-11-23T21:46:43.000000Z',NULL,'2026-11-23T21:47:48.000000Z',NULL,NULL,NULL,NULL);
INSERT INTO attempts VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,NULL,NULL,NULL,'completed','none',NULL,NULL,NULL,NULL,NULL,'2026-11-23T21:48:23.000000Z',NULL,'2026-11-23T21:49:28.000000Z',NULL,NULL,NULL,NULL);
INSERT INTO attempts VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,NULL,NULL,NULL,'completed','none',NULL,NULL,NULL,NULL,NULL,'2026-11-23T21:50:03.000000Z',NULL,'2026-11-23T21:51:08.000000Z',NULL,NULL,NULL,NULL);
INSERT INTO attempts VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0004',1,NULL,NULL,NULL,'failed','none','ready',NULL,'''scripts/lab.sh ready'' did not exit 0 within 30 s',NULL,NULL,'2026-11-23T21:51:43.000000Z',NULL,'2026-11-23T21:52:48.000000Z',NULL,NULL,NULL,NULL);
CREATE TABLE IF NOT EXISTS "samples" (
  "campaign_id" TEXT NOT NULL,
  "trial_id" TEXT NOT NULL,
  "attempt" INTEGER NOT NULL,
  "probe" TEXT NOT NULL,
  "scheduled_ns" INTEGER NOT NULL,
  "started_at_ns" INTEGER,
  "latency_ns" INTEGER,
  "ok" INTEGER NOT NULL CHECK (ok IN (0, 1)),
  "error" TEXT,
  "phase" TEXT,
  FOREIGN KEY (campaign_id, trial_id) REFERENCES trials (campaign_id, id) ON DELETE CASCADE
) STRICT;
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',208000000000,208000020000,2115000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',212000000000,212000020000,2135000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',216000000000,216000020000,2155000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',220000000000,220000020000,2175000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',224000000000,224000020000,2195000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',228000000000,228000020000,2215000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',232000000000,232000020000,2235000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',236000000000,236000020000,2255000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',240000000000,240000020000,2275000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',244000000000,244000020000,2295000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',248000000000,248000020000,2315000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',252000000000,252000020000,2335000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',256000000000,256000020000,2355000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',260000000000,260000020000,2375000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',1,'put',264000000000,264000020000,2395000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',308000000000,308000020000,2115000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',312000000000,312000020000,103035000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',316000000000,316000020000,103055000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',320000000000,320000020000,103075000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',324000000000,324000020000,103095000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',328000000000,328000020000,103115000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',332000000000,332000020000,103135000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',336000000000,336000020000,103155000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',340000000000,340000020000,2275000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',344000000000,344000020000,2295000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',348000000000,348000020000,2315000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',352000000000,352000020000,2335000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',356000000000,356000020000,2355000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',360000000000,360000020000,2375000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',1,'put',364000000000,364000020000,2395000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',408000000000,408000020000,2115000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',412000000000,412000020000,2135000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',416000000000,416000020000,2155000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',420000000000,420000020000,2175000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',424000000000,424000020000,2195000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',428000000000,428000020000,2215000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',432000000000,432000020000,2235000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',436000000000,436000020000,2255000,1,NULL,'hold');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',440000000000,440000020000,2275000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',444000000000,444000020000,2295000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',448000000000,448000020000,2315000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',452000000000,452000020000,2335000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',456000000000,456000020000,2355000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',460000000000,460000020000,2375000,1,NULL,'recover');
INSERT INTO samples VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',1,'put',464000000000,464000020000,2395000,1,NULL,'recover');
CREATE TABLE IF NOT EXISTS "events" (
  "campaign_id" TEXT NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE,
  "trial_id" TEXT,
  "attempt" INTEGER,
  "at" TEXT NOT NULL,
  "monotonic_ns" INTEGER,
  "phase" TEXT,
  "kind" TEXT,
  "text" TEXT,
  "details" TEXT,
  FOREIGN KEY (campaign_id, trial_id) REFERENCES trials (campaign_id, id) ON DELETE CASCADE
) STRICT;
INSERT INTO events VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-baseline-0001',NULL,'2026-11-23T22:00:00.000000Z',NULL,'reset','phase','starts','{"instance":0}');
INSERT INTO events VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0002',NULL,'2026-11-23T22:00:00.000000Z',NULL,'reset','phase','starts','{"instance":0}');
INSERT INTO events VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-cut-leader-0003',NULL,'2026-11-23T22:00:00.000000Z',NULL,'reset','phase','starts','{"instance":0}');
INSERT INTO events VALUES('campaign-20261123T215643Z-3fd12c05','trial-etcd-lab-slow-leader-0004',NULL,'2026-11-23T22:00:00.000000Z',NULL,'reset','phase','starts','{"instance":0}');
INSERT INTO events VALUES('campaign-20261123T215643Z-3fd12c05',NULL,NULL,'2026-11-23T22:30:00.000000Z',NULL,NULL,'interrupted','SIGINT',NULL);
CREATE INDEX "campaigns_index" ON "campaigns" (hash);
CREATE INDEX "samples_index" ON "samples" (campaign_id, trial_id);
CREATE INDEX "events_index" ON "events" (campaign_id, trial_id);
COMMIT;
