// What Region Masks shows: the portrait and its regions, from the pack's route where the photograph is
// that of a loader, else as they were in the last run.
import { findWidget } from "../base/editor.js";
import { findPicture, watchView } from "../base/picture.js";
import { Question } from "../base/question.js";
import { makeWords } from "../base/words.js";
import { findSource } from "../base/wires.js";

const word = makeWords("regions");
const PREPARE = "ACTalker_PreparePortrait";
const PORTRAIT = ["short_side_px", "face", "face_index", "expand", "aspect", "face_box"];
const REGIONS = ["style", "signals", "grow_px", "audio_region", "expression_region"];

export class RegionSource {
  constructor(node, onChange) {
    this.node = node;
    this.ran = null; // of the last run
    this.question = new Question(node, "regions", onChange);
    watchView(node, "actalker_regions", (view) => {
      this.ran = view;
      onChange();
    });
  }

  // Asks anew where something has changed; a portrait that has a mask for its face only a run can tell.
  look() {
    const prepare = findSource(this.node, "portrait");
    const isPlain = prepare?.type === PREPARE && !findSource(prepare, "face_mask");
    const picture = isPlain && findPicture(prepare, "image");
    if (!picture?.isLive) return this.question.ask(null);
    this.url = picture.url;
    const values = { picture: picture.name };
    for (const name of PORTRAIT) values[name] = findWidget(prepare, name)?.value;
    for (const name of REGIONS) values[name] = findWidget(this.node, name)?.value;
    this.question.ask(values);
  }

  // Why there is nothing to be seen.
  explain() {
    if (this.question.fault) return this.question.fault;
    if (this.question.isAsking) return word("wait");
    return word(findSource(this.node, "portrait") ? "run" : "connect");
  }

  // {url, pictureBox, box, size} and the text of each region, null where it is not known yet.
  view() {
    const { ran, url } = this, { answer, asked } = this.question;
    if (!answer) return asked ? null : ran && { ...ran, pictureBox: ran.picture_box };
    const view = { ...answer.facts, url, pictureBox: [0, 0, 1, 1] };
    for (const signal of ["audio", "expression"]) {
      if (findSource(this.node, `own_${signal}_mask`)) view[signal] = ran?.[signal] ?? null;
    }
    return view;
  }
}
