// The host of a page that has its recording inside.

import { Viewer } from "backlight/viewer.js";

const viewer = new Viewer(document.querySelector("#viewer"));
viewer.apply(JSON.parse(document.querySelector("#recording").textContent));
