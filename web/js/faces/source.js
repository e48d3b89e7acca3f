// The faces of the picture that comes in: from the pack's route where it is that of a loader, else as
// they were in the last run.
import { findWidget, setWidget } from "../base/editor.js";
import { findPicture, watchView } from "../base/picture.js";
import { Question } from "../base/question.js";
import { findSource } from "../base/wires.js";

const INDEX = "index", WHOLE = "whole picture";

export class FaceSource {
  // `inputName` is the picture's.
  constructor(node, inputName) {
    this.node = node;
    this.inputName = inputName;
    this.onChange = () => {}; // its owner's
    this.ran = null; // {url, size, boxes, choices} of the last run
    this.question = new Question(node, "faces", () => this.onChange());
    watchView(node, "actalker_faces", (view) => {
      this.ran = view;
      this.onChange();
    });
  }

  get isConnected() {
    return Boolean(findSource(this.node, this.inputName));
  }

  get hasIndex() {
    return findWidget(this.node, "face")?.value === INDEX;
  }

  // Asks anew where another picture comes in.
  look() {
    const picture = findPicture(this.node, this.inputName);
    this.url = picture?.url;
    this.question.ask(picture?.isLive ? { picture: picture.name } : null);
  }

  view() {
    const { answer, asked } = this.question;
    if (answer) return { ...answer.facts, url: this.url };
    return this.isConnected && !asked ? this.ran : null;
  }

  // Which face of a view the widgets mean: its number, "whole", or null where there is none.
  choose({ boxes, choices }) {
    const [face, index] = ["face", "face_index"].map((name) => findWidget(this.node, name)?.value);
    if (face === WHOLE) return "whole";
    const number = face === INDEX ? index : choices[face];
    return number < boxes.length ? number : null;
  }

  pick(number) {
    setWidget(this.node, "face", INDEX);
    setWidget(this.node, "face_index", number);
  }
}
