"""What cannot be used is said on the page when the graph is queued, and the server runs nothing."""

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from helpers.faults import FAULTS, PLACE, Fault, make_faulty_graph
from helpers.http_host import Server
from helpers.widgets import fill_widgets

if TYPE_CHECKING:
    from helpers.browser import Page


class RemoteNodes:
    """Nodes as a server tells of them, for `make_faulty_graph`."""

    def __init__(self, server: Server) -> None:
        self.info = server.info

    def inputs(self, kind: str) -> dict[str, Any]:
        return self.info[f"ACTalker_{kind}"]["input"]

    def node(self, kind: str, **inputs: Any) -> dict[str, Any]:
        name = f"ACTalker_{kind}" if f"ACTalker_{kind}" in self.info else kind
        return {"class_type": name, "inputs": fill_widgets(self.info[name]["input"], inputs)}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_server_refuses_a_fault_at_its_input(server: Server, fault: Fault) -> None:
    body = json.dumps({"prompt": make_faulty_graph(RemoteNodes(server), fault)}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/prompt", body, {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request)
    assert refusal.value.code == 400
    errors = json.load(refusal.value)["node_errors"]["fault"]["errors"]
    texts = {error["extra_info"]["input_name"]: error["details"] for error in errors}
    assert len(texts) == len(errors)
    assert texts.keys() - {fault.second_input} == {fault.input}
    for word in (*fault.words, *([PLACE.format(fault.place)] if fault.place else [])):
        assert word in texts[fault.input]
    assert server.get("/queue") == {"queue_running": [], "queue_pending": []}


def test_the_page_shows_which_input_is_wrong_and_knows_why(page: "Page") -> None:
    node = page.add("ACTalker_Curve", 100, 100)
    gates = page.add("ACTalker_Gates", 500, 100)
    end = page.add("PreviewAny", 900, 100)
    page.run(
        "const [curve, gates, end] = arguments[0].map((id) => app.graph.getNodeById(id));"
        "curve.widgets.find(({ name }) => name == 'curve_text').value = '0:1 2.5:0 ease';"
        "curve.connect(0, gates, 0); gates.connect(0, end, 0);"
        "await app.queuePrompt(0);",
        [node, gates, end],
    )
    # The node writes the name without its underscore: this is the message.
    page.wait_for("return document.body.innerText.includes('curve_text')")
    errors = page.run("return app.lastNodeErrors")
    assert list(errors) == [str(node)]
    assert "a comma before the next key at character 4" in str(errors)
    reason = page.wait_for(
        "const words = 'got \\' 2.5:0\\'. Correct it there.';"
        "const holds = (node) => node.textContent.includes(words);"
        "const place = [...document.body.querySelectorAll('*')].filter(holds).at(-1);"
        "if (!place) return null;"
        "const { x, y, width, height } = place.getBoundingClientRect();"
        "const top = document.elementFromPoint(x + width / 2, y + height / 2);"
        "return place.contains(top) && holds(place) && place.textContent;"
    )
    assert "a comma before the next key at character 4" in reason
    assert reason.count("Gate") == 1
