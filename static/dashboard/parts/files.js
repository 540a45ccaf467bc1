// dashboard/parts/files.js – files in a message: shown where the browser can, else to be downloaded

import { bytes } from "../../chat/format.js";
import { _ } from "../../chat/words.js";
import { html } from "../ui.js";
import { Icon } from "./small.js";

/** @typedef {import("../../chat/protocol.js").Attachment} Attachment */

/** @param {{files: Attachment[]}} props */
export function Files({ files }) {
  return html`<div class="files">${files.map((file) => html`<${File} key=${file.id} file=${file} />`)}</div>`;
}

/** @param {{file: Attachment}} props */
function File({ file }) {
  const { type, url, name, width, height } = file;
  if (type.startsWith("image/")) {
    return html`<a class="picture" href=${url} target="_blank" rel="noopener">
      <img src=${url} alt=${name} width=${width} height=${height} loading="lazy" /></a>`;
  }
  if (type.startsWith("audio/")) return html`<audio controls preload="metadata" src=${url} aria-label=${name}></audio>`;
  if (type.startsWith("video/")) {
    return html`<video controls preload="metadata" playsinline src=${url} width=${width} height=${height} aria-label=${name}></video>`;
  }
  return html`<a class="file" href=${url} download=${name}>
    <${Icon} name="file-text" /><span class="name">${name}</span><span class="hint">${bytes(file.size)}</span>
    <span class="heard">${_("Download")}</span>
  </a>`;
}
