// The faces by name on Face Editor's bar: chosen from a list, kept under a name, forgotten.
import { make, makeButton } from "../base/elements.js";
import { EXPRESSIONS, nameExpression } from "../base/expressions.js";
import { makeWords } from "../base/words.js";
import { restOf } from "./key_text.js";
import { MOST_LETTERS, changePresets, checkName, loadPresets } from "./presets.js";

const word = makeWords("face_editor");

export class PresetBar {
  // `kept` are the sliders that an expression leaves as they are.
  constructor(editor, kept) {
    this.editor = editor;
    this.kept = kept;
    this.presets = {};
    this.preset = null; // {name, face, isOwn} that was chosen
    this.fault = null; // why the own ones cannot be kept
    this.choice = make("select", { title: word("presets"), onchange: () => this.choose(this.choice.value) });
    this.name = make("input", {
      placeholder: word("name"), maxLength: MOST_LETTERS, hidden: true, className: "wide",
      onkeydown: (event) => this.typeName(event), onblur: () => this.showName(false),
    });
    this.forgetButton = makeButton("✕", word("forget"), () => this.forget());
    const save = makeButton("+", word("save"), () => this.showName(true));
    editor.bar.append(this.choice, this.name, save, this.forgetButton);
    this.update(loadPresets());
  }

  // As one text, to know it again.
  describe() {
    return JSON.stringify(this.editor.face());
  }

  choose(name) {
    if (!name) return this.editor.redraw(); // the title of the list
    const own = this.presets[name];
    const kept = Object.fromEntries(this.kept.map((each) => [each, this.editor.value(each)]));
    this.editor.setFace(own ?? { ...kept, ...(name === "neutral" ? {} : { [name]: 1 }) });
    this.preset = { name, face: this.describe(), isOwn: Boolean(own) };
    this.editor.redraw();
  }

  showName(isShown) {
    this.name.hidden = !isShown;
    this.choice.hidden = this.editor.note.hidden = isShown;
    if (isShown) this.name.focus();
    else this.name.value = "";
  }

  typeName(event) {
    event.stopPropagation();
    if (event.isComposing) return; // Enter ends a Chinese word, not the name
    if (event.key === "Escape") return this.editor.canvas.focus();
    if (event.key !== "Enter") return;
    const name = checkName(this.name.value);
    this.name.setCustomValidity(name ? "" : word("badName"));
    if (!name) return this.name.reportValidity();
    const moved = Object.entries(this.editor.face()).filter(([each, value]) => value !== restOf(each));
    const face = Object.fromEntries(moved);
    this.update(changePresets((presets) => (presets[name] = face)));
    this.preset = { name, face: this.describe(), isOwn: true };
    this.editor.canvas.focus();
  }

  forget() {
    const { name } = this.preset;
    this.preset = null;
    this.update(changePresets((presets) => delete presets[name]));
  }

  async update(promise) {
    try {
      this.presets = await promise;
      this.fault = null;
    } catch (error) {
      this.fault = word("notStored", error.message);
    }
    const group = (label, names, text) =>
      make("optgroup", { label }, ...names.map((name) => new Option(text(name), name)));
    const own = Object.keys(this.presets).sort((a, b) => a.localeCompare(b));
    const expressions = group(word("expressions"), EXPRESSIONS, nameExpression);
    this.choice.replaceChildren(new Option(word("presets"), ""), expressions);
    if (own.length) this.choice.append(group(word("own"), own, (name) => name));
    this.editor.redraw();
  }

  draw() {
    const isChosen = this.preset?.face === this.describe();
    this.choice.value = isChosen ? this.preset.name : "";
    this.forgetButton.disabled = !isChosen || !this.preset.isOwn;
  }
}
