"""Networks, and the folders that trained ones live in.

    networks/              architectures
    shipped/               model folders that come with the package
    card.py                what a model is: model.json
    folder.py              a model folder, read and checked
    keras_weights.py       model.keras -> a network of this project's
    litert.py              a LiteRT file -> probabilities, without TensorFlow
    openvino_network.py    OpenVINO's graph -> outputs, likewise
    openvino_int8.py       LiteRT's int8 file -> OpenVINO's graph
    openvino_files.py      a model folder -> either, floats exported once and cached
    engines.py             all engines behind one interface
    engine_trials.py       how fast they are here, on made-up galaxies
    litert_outputs.py      a LiteRT file that also puts out the network's features
    embedding.py           features -> principal components, familiarity
    calibration.py         temperature scaling
    tensorflow_runtime.py  how a process starts TensorFlow

It does not know Ray. Importing the room imports nothing: networks cost TensorFlow's
seconds.
"""
