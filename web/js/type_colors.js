// Each of the pack's own types has a colour of its own, for its sockets and wires. Between 2.5:1 and
// 5:1 of contrast with the nodes of the dark palette and of the light one, so that one set does for both.
import { app } from "../../../scripts/app.js";

const COLORS = {
  ACTALKER_ENCODERS: "#2d7d82",
  ACTALKER_PORTRAIT: "#baa202",
  ACTALKER_IDENTITY: "#d27cfc",
  ACTALKER_AUDIO_SIGNAL: "#e7491e",
  ACTALKER_EXPRESSION_SIGNAL: "#0c9404",
  ACTALKER_POSE_SIGNAL: "#0b84f1",
  ACTALKER_TRACK: "#09b7aa",
  ACTALKER_CURVE: "#ff08b3",
  ACTALKER_GATES: "#a9519c",
  ACTALKER_BANK: "#ac17fe",
  ACTALKER_MOTION: "#d8909c",
  ACTALKER_TGDM: "#9c6c00",
};
// A wire has the type of the input that it enters, which may be one of several.
const SEVERAL = { "ACTALKER_CURVE,CURVE": COLORS.ACTALKER_CURVE };

// The front end empties the colours of types that a palette does not name, each time one is loaded:
// what it sets counts as long as it is a colour.
function provide(colors) {
  for (const [type, color] of Object.entries({ ...COLORS, ...SEVERAL })) {
    let chosen = colors[type];
    Object.defineProperty(colors, type, {
      configurable: true,
      enumerable: true,
      get: () => chosen || color,
      set: (value) => (chosen = value),
    });
  }
}

// Nodes 2.0 paints sockets with CSS; a palette's own colours stand on the element and go before.
function provideStyle() {
  const style = document.createElement("style");
  const rules = Object.entries(COLORS).map(([type, color]) => `--color-datatype-${type}: ${color};`);
  style.textContent = `:root { ${rules.join(" ")} }`;
  document.head.append(style);
}

app.registerExtension({
  name: "ACTalker.TypeColors",
  setup() {
    provide(app.canvas.default_connection_color_byType);
    provide(app.canvas.constructor.link_type_colors);
    provideStyle();
  },
});
