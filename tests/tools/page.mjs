// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Looks at a page of `eval report --html` as people do: with and without scripts, light and dark, on small and large screens,
// by keyboard and in print. usage: node page.mjs PAGE FOLDER    prints what it saw as JSON, leaves screenshots in FOLDER
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const web = createRequire(new URL("../../web/", import.meta.url));
const puppeteer = web("puppeteer-core");
const axe = readFileSync(web.resolve("axe-core/axe.min.js"), "utf8");
const [page, folder] = process.argv.slice(2);
const url = pathToFileURL(page).href;
const browser = await puppeteer.launch({
	executablePath: "/usr/bin/chromium",
	args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
	userDataDir: `${folder}/profile`,
});
const seen = { console: [], requests: [] };

// A page of its own, of which everything that it says and fetches is noted.
async function open({ width = 1000, scripts = true, dark = false, media = "screen" } = {}) {
	const tab = await browser.newPage();
	tab.on("console", message => seen.console.push(message.text()));
	tab.on("pageerror", error => seen.console.push(error.message));
	tab.on("request", request => request.url() == url || seen.requests.push(request.url()));
	await tab.setViewport({ width, height: 900 });
	await tab.setJavaScriptEnabled(scripts);
	await tab.emulateMediaType(media);
	await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
	await tab.goto(url);
	return tab;
}

// The pixels of an element: how many are of the colours of custom properties of the page, within a distance.
const blank = await browser.newPage();
async function pixels(tab, element, names) {
	const colours = await tab.evaluate(list => list.map(name =>
		getComputedStyle(document.documentElement).getPropertyValue(name).trim()), names);
	const image = await element.screenshot({ encoding: "base64" });
	return blank.evaluate(async (data, wanted) => {
		const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
		const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
		const rgb = text => {
			canvas.fillStyle = text;
			canvas.fillRect(0, 0, 1, 1);
			return canvas.getImageData(0, 0, 1, 1).data;
		};
		const all = wanted.map(rgb);
		canvas.drawImage(bitmap, 0, 0);
		const { data: bytes } = canvas.getImageData(0, 0, bitmap.width, bitmap.height);
		return all.map(([red, green, blue]) => {
			let count = 0;
			for (let i = 0; i < bytes.length; i += 4)
				count += Math.abs(bytes[i] - red) + Math.abs(bytes[i + 1] - green) + Math.abs(bytes[i + 2] - blue) < 40;
			return count;
		});
	}, image, colours);
}

// What is in each chart, in the order of the page: pixels of the first curve, the fault's shade, bad samples or hits.
async function look(tab, selector) {
	const charts = [];
	for (const chart of await tab.$$(selector)) {
		const [curve, fault, hits] = await pixels(tab, chart, ["--p0", "--fault", "--hits"]);
		charts.push({ curve, fault, hits });
	}
	return charts;
}

// Scrolls by all charts, so that each of them is drawn.
async function visit(tab) {
	for (const figure of await tab.$$("figure[data-plot]")) {
		await figure.evaluate(element => element.scrollIntoView());
		await tab.waitForFunction(element => element.classList.contains("live"), { timeout: 20000 }, figure);
	}
	await tab.evaluate(() => scrollTo(0, 0));
}

async function violations(tab) {
	await tab.evaluate(() => document.querySelectorAll("details").forEach(element => { element.open = true; }));
	await tab.evaluate(axe);
	const { violations: found } = await tab.evaluate(() => axe.run(document));
	return found.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
}

const isDrawn = list => list.map(element => element.checkVisibility() && element.getBoundingClientRect().height > 0);
const hasScroll = () => document.documentElement.scrollWidth > innerWidth;

for (const scheme of ["light", "dark"]) {
	const tab = await open(scheme == "dark" ? { dark: true, width: 400 } : {});
	await visit(tab);
	seen[`charts_${scheme}`] = await look(tab, ".plot");
	await tab.screenshot({ path: `${folder}/${scheme}.png`, fullPage: true });
	seen[`violations_${scheme}`] = await violations(tab);
	await tab.close();
}

seen.scrolls = [];
for (const width of [400, 1000, 1600]) {
	for (const scripts of [true, false]) {
		const tab = await open({ width, scripts });
		if (scripts)
			await visit(tab);
		await tab.screenshot({ path: `${folder}/${width}${scripts ? "" : "-no-scripts"}.png`, fullPage: true });
		if (await tab.evaluate(hasScroll))
			seen.scrolls.push(`${width} ${scripts}`);
		await tab.close();
	}
}

const plain = await open({ scripts: false });
seen.plain = {
	charts: await look(plain, "figure[data-plot] > svg"),
	text: await plain.$eval("main", element => element.innerText),
	plots: (await plain.$$(".plot")).length,
};
await plain.close();

const printed = await open();
await visit(printed);
await printed.emulateMediaType("print");
seen.print = {
	drawings: await printed.$$eval("figure > svg", isDrawn),
	plots: await printed.$$eval(".plot", isDrawn),
	tables: await printed.$$eval("table", isDrawn),
	pdf: (await printed.pdf({ path: `${folder}/print.pdf` })).length,
};
await printed.close();

// By keyboard: to the first chart, along it, closer, and back.
const keys = await open();
await visit(keys);
const read = () => keys.$eval("output", element => element.textContent);
seen.keys = { before: await read() };
for (let i = 0; i < 50 && !(await keys.evaluate(() => document.activeElement.className == "plot")); i++)
	await keys.keyboard.press("Tab");
for (const key of ["ArrowRight", "End", "ArrowLeft", "+", "0"]) {
	await keys.keyboard.press(key);
	await keys.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))));
	seen.keys[key] = await read();
}
// The pointer reads, too.
const box = await (await keys.$(".plot .u-over")).boundingBox();
await keys.mouse.move(box.x + box.width / 2, box.y + 20);
await keys.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))));
seen.pointer = await read();
await browser.close();
console.log(JSON.stringify(seen, null, 1));
