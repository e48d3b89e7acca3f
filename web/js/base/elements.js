// Elements of the page.

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function makeButton(text, title, onclick) {
  return make("button", { textContent: text, title, onclick });
}
