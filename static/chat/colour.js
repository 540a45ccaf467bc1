// chat/colour.js – the site's accent, made readable.
//
//   paint(root, "#2f6f5e", dark)  sets --accent, --on-accent and --accent-text on an element, through CSSOM:
//   text on the accent and accent-coloured text both reach 4.5:1, whatever the site chose.

const ENOUGH = 4.5;
const GROUND = { light: "#f5f6f5", dark: "#1e2422" }; // the worse of the grounds in tokens.css

/** @param {HTMLElement} root @param {string} accent @param {boolean} dark */
export function paint(root, accent, dark) {
  if (!/^#[0-9a-f]{6}$/i.test(accent)) return;
  const colours = readable(accent, dark);
  for (const [name, value] of Object.entries(colours)) root.style.setProperty(name, value);
}

/** @param {string} accent @param {boolean} dark @returns {Record<string, string>} */
export function readable(accent, dark) {
  const onAccent = contrast(accent, "#ffffff") >= ENOUGH ? "#ffffff" : "#10151c";
  // A middling accent may suit neither: white or ink is then helped by moving the accent.
  const ground = until(accent, onAccent === "#ffffff" ? 0 : 255, (colour) => contrast(colour, onAccent) >= ENOUGH);
  const surface = dark ? GROUND.dark : GROUND.light;
  const text = until(accent, dark ? 255 : 0, (colour) => contrast(colour, surface) >= ENOUGH);
  return { "--accent": ground, "--on-accent": onAccent, "--accent-text": text };
}

/** The first colour on the way to black (0) or white (255) that will do.
 * @param {string} colour @param {0|255} end @param {(colour: string) => boolean} fits */
function until(colour, end, fits) {
  for (let step = 0; step < 20; step++) {
    const mixed = hex(channels(colour).map((value) => value + ((end - value) * step) / 20));
    if (fits(mixed)) return mixed;
  }
  return end ? "#ffffff" : "#000000";
}

/** WCAG's contrast ratio. @param {string} a @param {string} b */
export function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/** @param {string} colour */
function luminance(colour) {
  const [r, g, b] = channels(colour).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {string} colour */
const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

/** @param {number[]} values */
const hex = (values) => `#${values.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;
