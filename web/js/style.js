// How editors and help pages look.
const link = document.createElement("link");
Object.assign(link, { rel: "stylesheet", href: new URL("../style.css", import.meta.url).href });
document.head.append(link);
