// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Puts charts with a cursor in the place of each trial's drawing, from the numbers that are beside it. Without scripts and
// in print the drawing stays.
(() => {
	"use strict";
	const LATENCY_HEIGHT = 220, LINE_HEIGHT = 84, Y_AXIS = 64, RIGHT = 8;
	const help = "Point at the chart to read it, drag to zoom, double-click to see all of it; by keyboard: arrows, + and −, 0.";
	const styles = getComputedStyle(document.documentElement);
	const colour = name => styles.getPropertyValue("--" + name).trim();
	const clamp = (value, least, most) => Math.max(least, Math.min(most, value));
	const short = value => String(Math.abs(value) >= 100 ? Math.round(value) : +value.toPrecision(3));
	const milliseconds = ms => (ms < 999.5 ? short(ms) + " ms" : short(ms / 1000) + " s");
	const drawn = [];

	// The numbers of a figure: see user/report/timeline_data.c.
	class Timeline {
		constructor(figure) {
			Object.assign(this, JSON.parse(figure.dataset.plot));
			const texts = selector => Array.from(figure.querySelectorAll(selector), element => element.textContent);
			this.figure = figure;
			this.label = figure.querySelector("svg").getAttribute("aria-labelledby");
			this.probeNames = texts("figcaption .name");
			this.lineNames = texts("svg .name");
			this.x = Array.from({ length: this.points }, (_, i) => (i + 0.5) * this.step);
			this.panels = [];
			this.spans = this.phases.map(([name, from, to]) => ({ name, from, to }));
		}

		phaseAt(seconds) {
			const span = this.spans.find(({ from, to }) => seconds >= from && seconds < to);
			return span ? span.name : "";
		}

		draw() {
			this.plot = document.createElement("div");
			this.plot.className = "plot";
			this.plot.tabIndex = 0;
			this.plot.setAttribute("role", "application");
			this.plot.setAttribute("aria-labelledby", this.label);
			this.output = document.createElement("output");
			this.output.textContent = help;
			this.figure.querySelector("svg").after(this.plot, this.output);
			this.drawLatency();
			this.lines.forEach((_, i) => this.drawLine(i));
			this.plot.addEventListener("keydown", event => this.press(event));
			new ResizeObserver(() => this.fit()).observe(this.figure);
			this.figure.classList.add("live");
		}

		// An axis is drawn below the last panel only.
		addPanel(height, title, series, data, bands, y, hooks) {
			const last = this.panels.length == this.lines.length;
			const all = [0, this.seconds], x = this.x;
			const style = { stroke: () => colour("soft"), ticks: { show: false }, font: "11px system-ui, sans-serif" };
			const grid = { stroke: () => colour("line"), width: 1, dash: [2, 3] };
			const u = new uPlot({
				width: this.figure.clientWidth, height: height + (last ? 24 : 0), padding: [20, RIGHT, last ? 0 : 4, 0],
				legend: { show: false },
				cursor: { y: false, points: { show: false }, sync: { key: this.label }, drag: { x: true, y: false } },
				scales: {
					x: { time: false, range: (_, from, to) => (from == x[0] && to == x[x.length - 1] ? all : [from, to]) },
					y: y.scale,
				},
				axes: [
					{ ...style, show: last, size: 24, grid: { show: false }, values: (_, splits) => splits.map(s => short(s) + " s") },
					{ ...style, size: Y_AXIS, grid, space: y.space,
						values: (_, splits) => splits.map(value => (value == null ? null : y.format(value))) },
				],
				series: [{}, ...series], bands,
				hooks: {
					drawClear: [self => this.shade(self)],
					draw: [self => this.annotate(self, title), ...hooks],
					setCursor: [self => this.read(self.cursor.idx)],
					setScale: [(self, key) => key == "x" && this.follow(self)],
				},
			}, [x, ...data], this.plot);
			this.panels.push(u);
			drawn.push(u);
		}

		drawLatency() {
			const series = [], data = [], bands = [], known = [];
			this.probes.forEach(([least, mean, most], i) => {
				// uPlot goes on across what is undefined, and breaks off at null.
				const rows = [most, mean, least].map(row => row.map(ms => (ms < 0 ? undefined : ms || null)));
				const filled = this.x.map((_, at) => at).filter(at => mean[at] >= 0);
				const alone = filled.filter((at, k) => mean[at] && !mean[filled[k - 1]] && !mean[filled[k + 1]]);
				const points = { show: () => false, filter: () => (alone.length ? alone : null), size: 4, fill: () => colour("p" + i) };

				bands.push({ series: [series.length + 1, series.length + 3], fill: () => `color-mix(in srgb, ${colour("p" + i)} 25%, transparent)` });
				series.push({ points: { show: false } }, { stroke: () => colour("p" + i), width: 1.5, points }, { points: { show: false } });
				data.push(...rows);
				known.push(...rows[0], ...rows[2]);
			});
			const values = known.filter(ms => ms != null);
			const low = 10 ** Math.floor(Math.log10(values.length ? Math.min(...values) : 1));
			const high = Math.max(values.length ? Math.max(...values) * 1.5 : 0, low * 10);
			this.addPanel(LATENCY_HEIGHT, "", series, data, bands,
				{ scale: { distr: 3, range: () => [low, high] }, space: 24, format: milliseconds }, [u => this.markBad(u)]);
		}

		drawLine(number) {
			const row = new Array(this.points).fill(null), name = this.lineNames[number];
			this.lines[number].forEach(([i, value]) => { row[i] = value; });
			const values = row.filter(value => value != null);
			const low = Math.min(0, ...values), high = Math.max(0, ...values);
			const stroke = () => colour(number < this.kernel ? "hits" : "p3");
			const fill = () => `color-mix(in srgb, ${stroke()} 20%, transparent)`;
			this.addPanel(LINE_HEIGHT, name, [{ stroke, fill, width: 1.5, spanGaps: true, points: { show: values.length < 3, size: 4 } }], [row], [],
				{ scale: { range: () => [low, high > low ? high + (high - low) * 0.1 : low + 1] }, space: 20, format: short }, []);
		}

		// What is common to all panels: phases behind the curves, events before them.
		shade(u) {
			const { ctx, bbox } = u, { min, max } = u.scales.x;
			const at = seconds => u.valToPos(clamp(seconds, min, max), "x", true);
			ctx.save();
			for (const { name, from, to } of this.spans) {
				ctx.fillStyle = colour({ "no fault": "paper", fault: "fault", recovery: "after" }[name] || "warm");
				ctx.fillRect(at(from), bbox.top, at(to) - at(from), bbox.height);
			}
			ctx.restore();
		}

		annotate(u, title) {
			const { ctx, bbox } = u, { min, max } = u.scales.x, scale = ctx.canvas.width / u.width;
			const at = seconds => u.valToPos(clamp(seconds, min, max), "x", true);
			ctx.save();
			ctx.font = `${11 * scale}px system-ui, sans-serif`;
			ctx.textAlign = "left";
			ctx.textBaseline = "alphabetic";
			ctx.fillStyle = ctx.strokeStyle = colour("soft");
			ctx.fillText(title, bbox.left, bbox.top - 6 * scale);
			for (const { name, from, to } of title ? [] : this.spans)
				if (at(to) - at(from) > ctx.measureText(name).width + 8 * scale)
					ctx.fillText(name, at(from) + 4 * scale, bbox.top - 6 * scale);
			ctx.lineWidth = scale;
			ctx.setLineDash([4 * scale, 3 * scale]);
			this.marks.forEach((seconds, i) => {
				if (seconds < min || seconds > max)
					return;
				ctx.beginPath();
				ctx.moveTo(at(seconds), bbox.top);
				ctx.lineTo(at(seconds), bbox.top + bbox.height);
				ctx.stroke();
				if (!title)
					ctx.fillText(String(i + 1), at(seconds) + 3 * scale, bbox.top + bbox.height - 4 * scale);
			});
			ctx.restore();
		}

		markBad(u) {
			const { ctx, bbox } = u, { min, max } = u.scales.x, scale = ctx.canvas.width / u.width;
			ctx.save();
			ctx.fillStyle = colour("bad");
			this.probes.forEach(([, , , bad], i) => {
				bad.forEach((count, index) => {
					const from = Math.max(index * this.step, min), to = Math.min((index + 1) * this.step, max);
					const left = u.valToPos(from, "x", true);
					if (count && to > from)
						ctx.fillRect(left, bbox.top + (1 + 9 * i) * scale, u.valToPos(to, "x", true) - left, 6 * scale);
				});
			});
			ctx.restore();
		}

		read(index) {
			if (index == null || this.index === index)
				return;
			this.index = index;
			this.say();
		}

		say() {
			const i = this.index, { min, max } = this.panels[0].scales.x;
			const parts = this.probes.map(([least, mean, most, bad], probe) => {
				return `${this.probeNames[probe]} ` +
					(mean[i] > 0 ? `${milliseconds(mean[i])} (${milliseconds(least[i])} to ${milliseconds(most[i])})`
						: mean[i] ? "no sample" : "no good sample") +
					(bad[i] ? `, ${bad[i]} bad` : "");
			});
			this.lines.forEach((line, number) => {
				const near = line.reduce((best, one) => (!best || Math.abs(one[0] - i) < Math.abs(best[0] - i) ? one : best), null);
				if (near && Math.abs(near[0] - i) * this.step <= 1.5)
					parts.push(`${this.lineNames[number]}: ${short(near[1])}`);
			});
			const zoomed = max - min < this.seconds * 0.999 ? ` Shown: ${short(min)} s to ${short(max)} s.` : "";
			this.output.textContent = `${short(this.x[i])} s, ${this.phaseAt(this.x[i])}: ${parts.join("; ")}.${zoomed}`;
		}

		follow(from) {
			const { min, max } = from.scales.x;
			for (const u of this.panels)
				if (u != from && (u.scales.x.min != min || u.scales.x.max != max))
					u.setScale("x", { min, max });
			if (this.index != null && this.panels.length)
				this.say();
		}

		zoom(factor) {
			const { min, max } = this.panels[0].scales.x, middle = this.x[this.index == null ? this.points >> 1 : this.index];
			const width = clamp((max - min) * factor, this.step * 4, this.seconds);
			const from = clamp(middle - width / 2, 0, this.seconds - width);
			this.panels[0].setScale("x", { min: from, max: from + width });
		}

		press(event) {
			const { min, max } = this.panels[0].scales.x, far = event.shiftKey ? 10 : 1;
			const first = Math.max(0, Math.ceil(min / this.step - 0.5)), last = Math.min(this.points - 1, Math.floor(max / this.step - 0.5));
			const now = this.index == null ? first - 1 : this.index;
			const to = { ArrowLeft: now - far, ArrowRight: now + far, Home: first, End: last }[event.key];
			const factor = { "+": 0.5, "=": 0.5, "-": 2, 0: Infinity, Escape: Infinity }[event.key];
			if ((to == null && factor == null) || event.ctrlKey || event.altKey || event.metaKey)
				return;
			event.preventDefault();
			if (factor)
				this.zoom(factor);
			else
				this.point(clamp(to, first, last));
		}

		point(index) {
			for (const u of this.panels)
				u.setCursor({ left: u.valToPos(this.x[index], "x"), top: 0 });
			this.read(index);
		}

		fit() {
			const width = this.figure.clientWidth;
			for (const u of this.panels)
				if (width && u.width != width)
					u.setSize({ width, height: u.height });
		}
	}

	// A page may have a thousand charts: each is drawn when it comes near.
	const near = new IntersectionObserver(entries => {
		for (const { isIntersecting, target } of entries)
			if (isIntersecting) {
				near.unobserve(target);
				new Timeline(target).draw();
			}
	}, { rootMargin: "400px" });
	document.querySelectorAll("figure[data-plot]").forEach(figure => near.observe(figure));
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(u => u.redraw()));
})();
