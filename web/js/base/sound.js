// The sound that comes in over a wire: of the file that its node names, else as a run has told of it.
import { api } from "../../../../scripts/api.js";
import { findWidget } from "./editor.js";
import { makeViewUrl, readName } from "./files.js";
import { findNode } from "./path.js";
import { findSource, listDependents, listUpstream } from "./wires.js";

const PEAK_RATE_HZ = 100;
const decoded = new Map();
const reports = new WeakMap(); // node -> {sound, source: of the wire that it came over}

async function decode(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status}`);
  const context = new OfflineAudioContext(1, 1, 16000);
  const buffer = await context.decodeAudioData(await response.arrayBuffer());
  const samples = { loudness: buffer.getChannelData(0), rateHz: buffer.sampleRate };
  const count = Math.ceil(buffer.duration * PEAK_RATE_HZ);
  const loudness = loudnessOfFrames(samples, count, PEAK_RATE_HZ);
  return { url, seconds: buffer.duration, rateHz: PEAK_RATE_HZ, loudness };
}

function findAudioSource(node) {
  const input = node.inputs?.find(({ type, link }) => type === "AUDIO" && link != null);
  return input ? findSource(node, input.name) : null;
}

// Nodes that take or give a sound tell how loud it was (nodes/common/peaks.py).
api.addEventListener("executed", ({ detail }) => {
  const report = detail?.output?.actalker_sound?.[0];
  const node = report && findNode(detail.display_node ?? detail.node);
  if (!node) return;
  const loudness = Float64Array.from(atob(report.loudness), (letter) => letter.charCodeAt(0) / 255);
  const sound = { url: null, seconds: report.seconds, rateHz: report.rate_hz, loudness };
  reports.set(node, { sound, source: findAudioSource(node) });
});

function findReport(node, source) {
  const taken = reports.get(node);
  if (taken?.source === source) return taken.sound;
  const given = reports.get(source);
  return given?.source === null ? given.sound : null;
}

// The sound that comes into a node, or null; that of a file is there once it is read.
function findSound(node) {
  const source = findAudioSource(node);
  if (!source) return null;
  const file = findWidget(source, "audio")?.value;
  const name = typeof file === "string" ? readName(file) : {};
  const url = name.filename ? makeViewUrl(name) : null;
  if (!url) return findReport(node, source);
  if (!decoded.has(url)) {
    decoded.set(url, null);
    const ignore = () => {}; // a file that the browser cannot read has no waveform
    decode(url).then((sound) => decoded.set(url, sound), ignore);
  }
  return decoded.get(url);
}

// The loudness of frames (the root of the mean square of each), as far as there is a sound.
export function loudnessOfFrames({ loudness, rateHz }, frames, fps) {
  return Float64Array.from({ length: frames }, (_, i) => {
    const first = Math.floor((i / fps) * rateHz);
    const last = Math.max(Math.floor(((i + 1) / fps) * rateHz), first + 1);
    const rows = loudness.subarray(first, last);
    return rows.length ? Math.sqrt(rows.reduce((sum, value) => sum + value * value, 0) / rows.length) : 0;
  });
}

// {url or null, seconds, rateHz, loudness} of what a node, what it comes from, or what it goes to takes: of
// the nearest that is known, or null.
export function findSoundAround(node) {
  const find = (nodes) => nodes.reduce((sound, each) => sound ?? findSound(each), null);
  return find(listUpstream(node)) ?? find(listUpstream(...listDependents(node)));
}
