// chat/upload.js – one file on its way to the desk.
//
//   const upload = send(url, file, {headers, onProgress(0…1)})
//   upload.done → Promise<Attachment>, rejected with {status, detail}   upload.cancel()

/**
 * @param {string} url @param {File} file
 * @param {{headers?: Record<string, string>, onProgress?: (part: number) => void}} [options]
 */
export function send(url, file, { headers = {}, onProgress = () => {} } = {}) {
  const request = new XMLHttpRequest(); // fetch cannot tell how much has been sent
  const form = new FormData();
  form.append("file", file, file.name || "file");
  /** @type {Promise<import("./protocol.js").Attachment>} */
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => (request.status === 201 ? resolve(answer(request)) : reject(refusal(request)));
    request.onerror = request.ontimeout = request.onabort = () => reject(refusal(request));
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(form);
  });
  return { done, cancel: () => request.abort() };
}

/** @param {XMLHttpRequest} request */
function answer(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return {};
  }
}

/** @param {XMLHttpRequest} request */
const refusal = (request) => ({ status: request.status, detail: answer(request).detail });
