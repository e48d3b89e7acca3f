// What stands on which node.
import { app } from "../../../scripts/app.js";
import { FaceEditor } from "./face_editor/face_editor.js";
import { FacePicker } from "./faces/faces.js";
import { FoldedPicker } from "./faces/folded.js";
import { FaceSource } from "./faces/source.js";
import { RegionEditor } from "./regions/regions.js";

const PICKER_HEIGHT = 240;
const MONITOR_WIDTH_PX = 500; // what its picture is drawn for; one of a saved graph keeps its size

function addPicker(node) {
  const source = new FaceSource(node, "image");
  const picker = new FacePicker(node, source, { height: PICKER_HEIGHT, hasBox: true });
  source.onChange = () => picker.redraw();
}

// By the input with its picture.
const fold = (inputName) => (node) => new FoldedPicker(node, inputName);

const SHOWN = {
  AnimatePhoto: fold("portrait_image"),
  FaceEditor: (node) => new FaceEditor(node),
  FaceSwap: fold("target_frames"),
  GeometryImages: fold("portrait_image"),
  MotionToFrames: fold("portrait_image"),
  PreparePortrait: addPicker,
  RefineWithTGDM: fold("portrait_image"),
  RegionMasks: (node) => new RegionEditor(node),
  SignalMonitor: (node) => node.setSize([Math.max(node.size[0], MONITOR_WIDTH_PX), node.size[1]]),
  SwapStart: fold("target_frames"),
  Talk: fold("portrait_image"),
  TrainPersonal: fold("frames"),
};

app.registerExtension({
  name: "ACTalker.Nodes",
  nodeCreated(node) {
    const [, name] = /^ACTalker_(.*)/.exec(node.constructor?.comfyClass ?? node.comfyClass) ?? [];
    SHOWN[name]?.(node);
  },
});
