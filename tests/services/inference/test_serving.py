"""The embedded server over real gRPC: it answers as TF Serving would, in results and in status codes."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import rasterio

from tests.services.inference.conftest import CLASSES, ROOT, Served, rule

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def channel(served: Served) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(served.address) as channel:
        yield channel


@pytest.fixture(scope="module")
def prediction(channel: grpc.Channel) -> Any:
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel: grpc.Channel) -> Any:
    from tensorflow_serving.apis import model_service_pb2_grpc

    return model_service_pb2_grpc.ModelServiceStub(channel)


def make_windows(count: int, side: int = 64) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(count)
    fine = rng.integers(1, 6000, (count, side, side, 4)).astype(np.uint16)
    coarse = rng.integers(1, 6000, (count, side // 2, side // 2, 6)).astype(np.uint16)
    fine[:, :8], coarse[:, :4] = 0, 0
    return [{"msi_10m": f, "msi_20m": c} for f, c in zip(fine, coarse, strict=True)]


def tensor(values: np.ndarray) -> Any:
    """An array as TensorFlow's own message, of the bytes that the client sends."""
    from tensorflow.core.framework import tensor_pb2

    from services.inference.client import encode

    return tensor_pb2.TensorProto.FromString(encode(values).SerializeToString())


def make_request(**spec: Any) -> Any:
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = spec.get("name", "rule")
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    request.model_spec.signature_name = spec.get("signature", "")
    fine, coarse = make_windows(1)[0].values()
    request.inputs["msi_10m"].CopyFrom(tensor(fine[None]))
    request.inputs["msi_20m"].CopyFrom(tensor(coarse[None]))
    return request


def code_of(call: Any, request: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=30)
    return raised.value.code().name, raised.value.details()


@pytest.mark.parametrize("count", [1, 4, 11])
def test_predictions_come_in_order_and_batches_do_not_matter(served: Served, count: int) -> None:
    from services.inference.client import Client

    windows = make_windows(count)
    client = Client(served.address, "rule", 3, 30, 64 * MIB)
    answers = list(client.predict(iter(windows)))
    client.close()
    assert len(answers) == count
    for fine, share in zip([w["msi_10m"] for w in windows], answers, strict=True):
        assert share.dtype == np.uint8
        assert share.shape == (64, 64, CLASSES)
        assert ((share.argmax(axis=-1) + 1) * share.any(axis=-1) == rule(fine)).all()


def test_messages_above_the_grpc_default_pass(served: Served) -> None:
    from services.inference.client import Client

    client = Client(served.address, "rule", 3, 60, 64 * MIB)
    answers = list(client.predict(make_windows(4, side=512)))
    client.close()
    assert sum(a.nbytes for a in answers) > 4 * MIB


def test_a_message_above_the_limit_is_refused(served: Served) -> None:
    from services.inference.client import Client

    client = Client(served.address, "rule", 3, 60, MIB)
    with pytest.raises(grpc.RpcError) as raised:
        list(client.predict(make_windows(4, side=512)))
    client.close()
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_predict_takes_the_newest_version_and_the_default_signature(prediction: Any) -> None:
    from services.inference.client import decode

    request = make_request()
    response = prediction.Predict(request, timeout=30)
    assert response.model_spec.version.value == 12
    assert response.model_spec.signature_name == "serving_default"
    assert set(response.outputs) == {"class", "confidence"}
    old = prediction.Predict(make_request(version=3), timeout=30)
    values = decode(old.outputs["class"])
    assert (values == rule(decode(request.inputs["msi_10m"]))).all()
    assert not (decode(response.outputs["class"]) == values).all()


def test_refusals_of_predict(prediction: Any) -> None:
    assert code_of(prediction.Predict, make_request(name="other")) == (
        "NOT_FOUND",
        "Servable not found for request: Latest(other)",
    )
    assert code_of(prediction.Predict, make_request(version=99))[0] == "NOT_FOUND", "99 holds no saved_model.pb"
    assert code_of(prediction.Predict, make_request(name=""))[0] == "INVALID_ARGUMENT"
    assert code_of(prediction.Predict, make_request(name="../rule"))[0] == "NOT_FOUND"
    assert code_of(prediction.Predict, make_request(signature="nothing")) == (
        "INVALID_ARGUMENT",
        'Serving signature key "nothing" not found.',
    )
    label = make_request()
    label.model_spec.version_label = "stable"
    assert code_of(prediction.Predict, label)[0] == "INVALID_ARGUMENT"
    missing = make_request()
    del missing.inputs["msi_20m"]
    assert code_of(prediction.Predict, missing)[0] == "INVALID_ARGUMENT"
    wrong = make_request()
    wrong.inputs["msi_10m"].CopyFrom(tensor(np.zeros((1, 64, 64, 4), np.float32)))
    assert code_of(prediction.Predict, wrong)[0] == "INVALID_ARGUMENT"
    short = make_request()
    short.inputs["msi_10m"].tensor_content = short.inputs["msi_10m"].tensor_content[:-2]
    assert code_of(prediction.Predict, short)[0] == "INVALID_ARGUMENT"
    filtered = make_request()
    filtered.output_filter.append("nothing")
    assert code_of(prediction.Predict, filtered)[0] == "INVALID_ARGUMENT"


def test_metadata_tells_the_signatures(prediction: Any) -> None:
    from tensorflow_serving.apis import get_model_metadata_pb2

    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "rule"
    assert code_of(prediction.GetModelMetadata, request)[0] == "INVALID_ARGUMENT"
    request.metadata_field.append("signature_def")
    response = prediction.GetModelMetadata(request, timeout=30)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def["probabilities"].inputs) == {"msi_10m", "msi_20m"}
    assert response.model_spec.version.value == 12


def test_status_and_reload(served: Served, models: Any, prediction: Any) -> None:
    from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "rule"
    states = models.GetModelStatus(request, timeout=30).model_version_status
    assert [(s.version, s.state) for s in states] == [(12, 30), (3, 30)]
    request.model_spec.version.value = 4
    assert code_of(models.GetModelStatus, request)[0] == "NOT_FOUND"

    reload = model_management_pb2.ReloadConfigRequest()
    config = reload.config.model_config_list.config.add()
    config.name, config.base_path = "renamed", str(served.folder.parent)
    assert code_of(models.HandleReloadConfigRequest, reload)[0] == "INVALID_ARGUMENT", "not below the served folder"
    config.base_path = str(served.folder / "rule")
    assert models.HandleReloadConfigRequest(reload, timeout=30).status.error_code == 0
    assert code_of(prediction.Predict, make_request())[0] == "NOT_FOUND"
    assert prediction.Predict(make_request(name="renamed"), timeout=30).model_spec.version.value == 12
    config.name = "rule"
    models.HandleReloadConfigRequest(reload, timeout=30)
    assert prediction.Predict(make_request(), timeout=30).model_spec.version.value == 12


def test_what_is_not_served_says_so(prediction: Any) -> None:
    from tensorflow_serving.apis import classification_pb2

    assert code_of(prediction.Classify, classification_pb2.ClassificationRequest())[0] == "UNIMPLEMENTED"


def test_only_the_loopback_is_bound(served: Served) -> None:
    port = int(served.address.rpartition(":")[2])
    tables = (Path(f"/proc/{served.process.pid}/net/{name}").read_text() for name in ("tcp", "tcp6"))
    rows = [row.split() for table in tables for row in table.splitlines()[1:]]
    listening = "0A"
    bound = [r[1].split(":")[0] for r in rows if r[3] == listening and int(r[1].split(":")[1], 16) == port]
    assert bound in (["0100007F"], ["0000000000000000FFFF00000100007F"]), "127.0.0.1, plain or mapped"


def test_the_client_reads_typed_lists_too() -> None:
    """TF Serving answers in `int_val` and `float_val` unless told otherwise."""
    from tensorflow.core.framework import tensor_pb2, types_pb2

    from services.inference.client import decode

    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_UINT8, int_val=[1, 2, 3, 255])
    for size in (2, 2):
        tensor.tensor_shape.dim.add().size = size
    assert decode(tensor).tolist() == [[1, 2], [3, 255]]
    del tensor.int_val[1:]
    assert decode(tensor).tolist() == [[1, 1], [1, 1]]
    with pytest.raises(ValueError, match="type 7 of"):
        decode(tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING))


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_the_example_maps_a_geotiff(
    served: Served, tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = np.random.default_rng(0).integers(1, 6000, (10, 300, 280)).astype(np.uint16)
    bands[:, :10] = 0
    given = bands if dtype == "uint16" else np.where(bands > 0, (bands.astype(float) - 1000) / 10000, np.nan)
    profile = {"driver": "GTiff", "width": 280, "height": 300, "count": 10, "dtype": dtype, "crs": "EPSG:32634"}
    transform = rasterio.Affine(10, 0, 700020, 0, -10, 5100000)
    with rasterio.open(tmp_path / "in.tif", "w", transform=transform, **profile) as out:
        out.write(given.astype(dtype))
    arguments = ["predict.py", served.address, "rule", str(tmp_path / "in.tif"), str(tmp_path / "out.tif")]
    arguments += ["0.0001", "-0.1"] if dtype == "uint16" else []
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(ROOT / "examples" / "predict.py"), run_name="__main__")
    with rasterio.open(tmp_path / "out.tif") as image:
        values = image.read(1)
        assert image.nodata == 0
        assert image.transform == transform
    expected = rule(np.moveaxis(bands[:4], 0, -1))
    expected = np.where(expected > 0, expected % CLASSES + 1, 0)  # version 12, the newest, turns the classes by one
    assert (values == expected).all()


def test_the_server_ends_whatever_is_asked_of_it(tmp_path: Path) -> None:
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    save_endless(tmp_path / "endless" / "1")
    command = [sys.executable, "-m", "services.inference.server", "--folder", str(tmp_path), "--remove"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("listening on ").strip()
        with grpc.insecure_channel(address) as channel:
            asked = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict.future(endless_request())
            with pytest.raises(grpc.FutureTimeoutError):
                asked.result(timeout=5)
            process.terminate()
            try:
                assert process.wait(timeout=20) == 0
            finally:
                process.kill()
    assert not tmp_path.exists()


def save_endless(folder: Path) -> None:
    """Write a SavedModel that never answers."""
    import tensorflow as tf

    def answer(value: Any) -> dict[str, Any]:
        return {"value": tf.while_loop(lambda v: v >= 0, lambda v: (v * 0,), [value])[0]}

    signature = tf.function(answer, input_signature=[tf.TensorSpec((), tf.int32, name="value")])
    tf.saved_model.save(tf.Module(), str(folder), {"serving_default": signature})


def endless_request() -> Any:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "endless"
    request.inputs["value"].CopyFrom(tf.make_tensor_proto(1, tf.int32))
    return request


def test_the_server_dies_with_its_parent(tmp_path: Path) -> None:
    """A killed worker leaves neither a server nor its scratch folder."""
    script = (
        "import os, signal, sys; from pathlib import Path; import services.inference.launch as l; e = l.Embedded();"
        "e.address(); print(e._process.pid, e._folder, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    worker = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, env=environment)
    assert worker.returncode == -9, worker.stderr
    process, folder = worker.stdout.split()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (Path(f"/proc/{process}").exists() or Path(folder).exists()):
        time.sleep(0.05)
    assert not Path(folder).exists()
    assert not Path(f"/proc/{process}").exists() or "Z" in Path(f"/proc/{process}/stat").read_text()
