// A part of a picture, as large as it fits a canvas: shares of the picture become pixels and back.
const MARGIN_PX = 4;

export class View {
  // `box` is x0, y0, x1, y1 in any units, say shares of the picture; `aspect` the width of that part by its height.
  constructor(width, height, box, aspect, margin = MARGIN_PX) {
    const [w, h] = [Math.max(width - 2 * margin, 1), Math.max(height - 2 * margin, 1)];
    this.box = box;
    this.width = Math.min(w, h * aspect);
    this.height = this.width / aspect;
    this.left = (width - this.width) / 2;
    this.top = (height - this.height) / 2;
    this.pictureWidth = this.width / (box[2] - box[0]);
    this.pictureHeight = this.height / (box[3] - box[1]);
  }

  place([x, y]) {
    return [this.left + (x - this.box[0]) * this.pictureWidth, this.top + (y - this.box[1]) * this.pictureHeight];
  }

  placeBox([x0, y0, x1, y1]) {
    return [...this.place([x0, y0]), ...this.place([x1, y1])];
  }

  unplace([x, y]) {
    return [this.box[0] + (x - this.left) / this.pictureWidth, this.box[1] + (y - this.top) / this.pictureHeight];
  }

  // Draws a picture that covers `pictureBox`, in units of `box`, and nothing outside of the view.
  drawPicture(context, picture, pictureBox = this.box) {
    const [x0, y0, x1, y1] = this.placeBox(pictureBox);
    context.save();
    context.beginPath();
    context.rect(this.left, this.top, this.width, this.height);
    context.clip();
    context.drawImage(picture, x0, y0, x1 - x0, y1 - y0);
    context.restore();
  }
}
