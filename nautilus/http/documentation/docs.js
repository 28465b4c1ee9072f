// Reads /openapi.json and shows every operation, with a form to try it. No outside request, no dependency.

const element = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
};

const resolve = (spec, schema) =>
  schema?.$ref ? resolve(spec, spec.components.schemas[schema.$ref.split("/").pop()]) : schema;

function example(spec, schema, depth = 0) {
  const known = resolve(spec, schema) ?? {};
  if (known.examples?.length) return known.examples[0];
  if (known.default !== undefined) return known.default;
  if (known.enum) return known.enum[0];
  if (known.anyOf) return example(spec, known.anyOf[0], depth);
  if (known.type === "object") {
    if (depth > 5) return {};
    const names = known.required ?? Object.keys(known.properties ?? {});
    return Object.fromEntries(names.map((name) => [name, example(spec, known.properties?.[name], depth + 1)]));
  }
  if (known.type === "array") return depth > 5 ? [] : [example(spec, known.items ?? known.prefixItems?.[0], depth + 1)];
  if (known.type === "integer" || known.type === "number") return known.minimum ?? 1;
  if (known.type === "boolean") return false;
  return known.type === "null" ? null : "";
}

function tryForm(spec, path, method, operation) {
  const form = element("form");
  const inputs = (operation.parameters ?? []).map((parameter) => {
    const input = element("input", { name: parameter.name, required: parameter.required });
    input.placeholder = JSON.stringify(parameter.schema.default ?? parameter.schema.type ?? "");
    form.append(element("label", {}, `${parameter.name} (${parameter.in})`, input));
    return [parameter, input];
  });
  let body = null;
  const schema = operation.requestBody?.content["application/json"].schema;
  if (schema) {
    body = element("textarea", { value: JSON.stringify(example(spec, schema), null, 2) });
    form.append(body);
  }
  const output = element("pre", { hidden: true });
  form.append(element("button", { textContent: "Send" }), output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams();
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "") query.append(parameter.name, input.value);
    }
    const options = body ? { method, body: body.value, headers: { "content-type": "application/json" } } : { method };
    const started = performance.now();
    const response = await fetch(query.size ? `${url}?${query}` : url, options);
    const text = await response.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
    output.textContent = `${response.status} in ${(performance.now() - started).toFixed(1)} ms\n${shown}`;
    output.hidden = false;
  });
  return form;
}

function show(spec, filter) {
  const groups = new Map();
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (!`${method} ${path}`.toLowerCase().includes(filter)) continue;
      const box = element("details");
      box.append(element("summary", {}, element("b", { textContent: method.toUpperCase() }), path,
        element("span", { textContent: operation.summary ?? "" })));
      box.addEventListener("toggle", () => {
        if (box.childElementCount > 1) return;
        if (operation.description) box.append(element("p", { textContent: operation.description }));
        box.append(tryForm(spec, path, method.toUpperCase(), operation));
      });
      const tag = operation.tags[0];
      groups.set(tag, [...(groups.get(tag) ?? []), box]);
    }
  }
  const sections = [...groups].map(([tag, boxes]) => element("section", {}, element("h2", { textContent: tag.replace("_", " ") }), ...boxes));
  document.getElementById("operations").replaceChildren(...sections);
}

const spec = await (await fetch("/openapi.json")).json();
document.getElementById("about").textContent = `Version ${spec.info.version}. ${spec.info.description}`;
document.getElementById("filter").addEventListener("input", (event) => show(spec, event.target.value.toLowerCase()));
show(spec, "");
