/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a page has inside, as files of web/ have it; the assembler includes them. uPlot comes from npm. */
#include "report/html.h"

#include <stddef.h>

#define FILE_AS(name, path) \
	extern const char name[]; \
	__asm__(".pushsection .rodata\n.global " #name "\n" #name ":\n.incbin \"web/" path "\"\n.byte " \
		"0\n.popsection\n")

FILE_AS(asset_uplot_style, "node_modules/uplot/dist/uPlot.min.css");
FILE_AS(asset_style, "page.css");
FILE_AS(asset_uplot_script, "node_modules/uplot/dist/uPlot.iife.min.js");
FILE_AS(asset_script, "page.js");
FILE_AS(asset_uplot_license, "node_modules/uplot/LICENSE");

const char *const page_styles[] = {asset_uplot_style, asset_style, NULL};
const char *const page_scripts[] = {asset_uplot_script, asset_script, NULL};
const char *const page_license = asset_uplot_license;
