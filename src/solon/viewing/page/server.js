// What the page asks of its server, which is on the same machine.

let kind = "";

export const looking = () => kind;

export function look(at) {
  kind = at;
}

async function told(answer) {
  const value = answer.headers.get("Content-Type")?.startsWith("application/json") ? await answer.json() : null;
  if (!answer.ok) throw new Error(value?.error ?? `the server says ${answer.status}: ${await text(answer)}`);
  return value;
}

async function text(answer) {
  try {
    return await answer.text();
  } catch {
    return "";
  }
}

async function reach(address, options) {
  try {
    return await fetch(address, { credentials: "same-origin", ...options });
  } catch {
    throw new Error("the server has gone: start `solon view` again. Nothing was recorded");
  }
}

export async function ask(path, query = {}) {
  const words = new URLSearchParams({ ...(kind ? { kind } : {}), ...query });
  return told(await reach(`/api/${path}?${words}`));
}

export async function tell(path, query = {}) {
  const body = JSON.stringify({ ...(kind ? { kind } : {}), ...query });
  return told(await reach(`/api/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body }));
}
