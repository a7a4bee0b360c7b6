// SPDX-License-Identifier: LGPL-2.1-or-later
"use strict";

const HEALTH_MS = 2000;
const ASK_TIMEOUT_MS = 8000;
const PAGE_ROWS = 50;

const byId = (id) => document.getElementById(id);
const shown = { list: null, afterLists: 0, afterItems: 0 };

function make(tag, text, className) {
	const element = document.createElement(tag);
	if (text !== undefined)
		element.textContent = text;
	if (className)
		element.className = className;
	return element;
}

function tell(problem) {
	byId("problem").textContent = problem || "";
	byId("problem").hidden = !problem;
}

async function ask(method, path, body) {
	const options = { method, signal: AbortSignal.timeout(ASK_TIMEOUT_MS) };
	if (body !== undefined)
		options.body = JSON.stringify(body);
	let answer, json;
	try {
		answer = await fetch(path, options);
		json = await answer.json();
	} catch {
		throw new Error("The service does not answer.");
	}
	if (!answer.ok)
		throw new Error(json.error ? json.error.message : `Status ${answer.status}`);
	return json;
}

// Runs what a person asked for, and says so when it fails.
function attempt(work) {
	return async (event) => {
		event?.preventDefault();
		try {
			await work(event);
			tell("");
		} catch (e) {
			tell(e.message);
		}
	};
}

function showHealth(kind, text, parts) {
	byId("health").className = `health ${kind}`;
	byId("health-text").textContent = text;
	byId("health-parts").replaceChildren(...Object.entries(parts)
		.filter(([, part]) => part.state !== "off")
		.map(([name, part]) => {
			const item = make("li", part.state === "ok" ? name : `${name}: ${part.state}`, part.state);
			item.title = part.cause || "";
			return item;
		}));
}

async function askHealth() {
	try {
		const answer = await fetch("/ready", { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
		const json = await answer.json();
		if (!json.parts)
			showHealth("bad", "down", {});
		else if (!json.ready)
			showHealth("bad", "not ready", json.parts);
		else if (json.degraded.length > 0)
			showHealth("degraded", `degraded: ${json.degraded.join(", ")}`, json.parts);
		else
			showHealth("good", "healthy", json.parts);
	} catch {
		showHealth("bad", "down", {});
	}
	setTimeout(askHealth, HEALTH_MS);
}

function listButton(list) {
	const item = make("li"), button = make("button");
	button.type = "button";
	button.dataset.id = list.id;
	button.append(make("span", list.name), make("span", list.items, "number"));
	button.addEventListener("click", attempt(() => openList(list.id)));
	item.append(button);
	return item;
}

async function loadLists(more) {
	const after = more ? shown.afterLists : 0;
	const page = await ask("GET", `/v1/lists?limit=${PAGE_ROWS}&after=${after}`);
	const buttons = page.lists.map(listButton);
	if (more)
		byId("lists").append(...buttons);
	else
		byId("lists").replaceChildren(...buttons);
	shown.afterLists = page.next_after;
	byId("more-lists").hidden = page.next_after === null;
	markCurrent();
}

function markCurrent() {
	for (const button of byId("lists").querySelectorAll("button"))
		button.setAttribute("aria-current", String(Number(button.dataset.id) === shown.list));
}

const euros = (cents) => (cents / 100).toFixed(2);

function showRow(item) {
	const row = make("tr", undefined, item.is_done ? "done" : "");
	const done = make("input"), edit = make("button", "Edit"), remove = make("button", "Remove");
	row.dataset.id = item.id;
	done.type = "checkbox";
	done.checked = item.is_done;
	done.setAttribute("aria-label", `${item.title} is done`);
	done.addEventListener("change", attempt(() => changeItem(row, item, { is_done: done.checked })));
	edit.type = remove.type = "button";
	edit.setAttribute("aria-label", `Edit ${item.title}`);
	remove.setAttribute("aria-label", `Remove ${item.title}`);
	edit.addEventListener("click", () => editRow(row, item));
	remove.addEventListener("click", attempt(() => removeItem(row, item)));
	const cells = [make("td"), make("td", item.title, "name"), make("td", item.quantity, "number"),
		make("td", euros(item.price_cents), "number"), make("td", undefined, "number")];
	cells[0].append(done);
	cells[4].append(edit, " ", remove);
	row.append(...cells);
	return row;
}

function field(type, value, label, limits) {
	const input = make("input");
	Object.assign(input, { type, value, ...limits });
	input.required = true;
	input.setAttribute("aria-label", label);
	return input;
}

function editRow(row, item) {
	const title = field("text", item.title, "Item", { maxLength: 120 });
	const quantity = field("number", item.quantity, "Quantity", { min: 1, max: 9999 });
	const price = field("number", euros(item.price_cents), "Price in euros",
		{ min: 0, max: 1000000, step: "0.01" });
	const save = make("button", "Save"), cancel = make("button", "Cancel");
	const cells = [make("td"), make("td"), make("td", undefined, "number"),
		make("td", undefined, "number"), make("td", undefined, "number")];
	const store = attempt(async () => {
		if (![title, quantity, price].every((input) => input.reportValidity()))
			return;
		await changeItem(row, item, { title: title.value, quantity: Number(quantity.value),
			price_cents: Math.round(Number(price.value) * 100) });
	});
	save.type = cancel.type = "button";
	save.addEventListener("click", store);
	cancel.addEventListener("click", () => row.replaceWith(showRow(item)));
	cells[1].append(title);
	cells[2].append(quantity);
	cells[3].append(price);
	cells[4].append(save, " ", cancel);
	row.replaceChildren(...cells);
	row.addEventListener("keydown", (e) => {
		if (e.key === "Enter" && e.target instanceof HTMLInputElement)
			store(e);
		else if (e.key === "Escape")
			cancel.click();
	});
	title.focus();
}

async function changeItem(row, item, change) {
	const changed = await ask("PATCH", `/v1/items/${item.id}`, change);
	row.replaceWith(showRow(changed));
	await loadTotal();
}

async function removeItem(row, item) {
	await ask("DELETE", `/v1/items/${item.id}`);
	row.remove();
	byId("no-items").hidden = byId("items").children.length > 0;
	await Promise.all([loadTotal(), loadLists(false)]);
}

async function loadItems(more) {
	const after = more ? shown.afterItems : 0;
	const page = await ask("GET", `/v1/lists/${shown.list}/items?limit=${PAGE_ROWS}&after=${after}`);
	const rows = page.items.map(showRow);
	if (more)
		byId("items").append(...rows);
	else
		byId("items").replaceChildren(...rows);
	shown.afterItems = page.next_after;
	byId("more-items").hidden = page.next_after === null;
	byId("no-items").hidden = byId("items").children.length > 0;
}

// The total is one feature: without it the list is shown all the same.
async function loadTotal() {
	const currency = byId("currency").value;
	try {
		const total = await ask("GET", `/v1/lists/${shown.list}/total?currency=${currency}`);
		byId("total").textContent = (total.total_cents / 100).toLocaleString("en", { minimumFractionDigits: 2 });
		byId("total-note").textContent = total.rates === "stale" ?
			`Exchange rates are ${total.rates_age_s} s old.` : "";
	} catch (e) {
		byId("total").textContent = "–";
		byId("total-note").textContent = `No total: ${e.message}.`;
	}
}

async function openList(id) {
	const list = await ask("GET", `/v1/lists/${id}`);
	shown.list = list.id;
	byId("list-heading").textContent = list.name;
	byId("list").hidden = false;
	markCurrent();
	await Promise.all([loadItems(false), loadTotal()]);
}

byId("new-list").addEventListener("submit", attempt(async () => {
	const list = await ask("POST", "/v1/lists", { name: byId("list-name").value.trim() });
	byId("new-list").reset();
	await loadLists(false);
	await openList(list.id);
}));

byId("new-item").addEventListener("submit", attempt(async () => {
	const form = byId("new-item");
	const data = new FormData(form);
	const made = await ask("POST", `/v1/lists/${shown.list}/items`, { title: data.get("title").trim(),
		quantity: Number(data.get("quantity")),
		price_cents: Math.round(Number(data.get("price")) * 100) });
	form.reset();
	// With more pages to come it stands on the last of them.
	if (shown.afterItems === null)
		byId("items").append(showRow(made));
	byId("no-items").hidden = true;
	await Promise.all([loadTotal(), loadLists(false)]);
	form.elements.title.focus();
}));

byId("currency").addEventListener("change", attempt(loadTotal));
byId("more-lists").addEventListener("click", attempt(() => loadLists(true)));
byId("more-items").addEventListener("click", attempt(() => loadItems(true)));

askHealth();
attempt(() => loadLists(false))();
