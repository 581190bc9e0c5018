#!/usr/bin/env python3
"""Makes the files beside it: a small checkpoint in the layout of the paper's, and what TensorFlow computes with it.

    python3 -m venv tf && tf/bin/pip install tensorflow-cpu && tf/bin/python make.py

They were made by TensorFlow 2.21.0. The network is that of set-ups with 8 nm in and 4 nm out, with two poolings by 2.
"""

from pathlib import Path

import numpy
import tensorflow

HERE = Path(__file__).resolve().parent
MAPS, CLASSES, SIZE = [2, 3, 4], 2, 52
tf = tensorflow.compat.v1
tf.disable_eager_execution()
random = numpy.random.default_rng(7)


def variable(name, shape, spread):
    return tf.get_variable(name, initializer=random.normal(0, spread, shape).astype("float32"))


def convolve(x, name, maps, edge=3, is_linear=False):
    maps_in = x.shape[-1]
    kernel = variable(f"{name}/kernel", (edge, edge, edge, maps_in, maps), (2 / (edge**3 * int(maps_in))) ** 0.5)
    x = tf.nn.conv3d(x, kernel, [1] * 5, "VALID") + variable(f"{name}/bias", (maps,), 0.1)
    return x if is_linear else tf.nn.relu(x)


def upsample(x, name, maps):
    values = variable(f"{name}_kernel_variables", (maps * int(x.shape[-1]),), (2 / int(x.shape[-1])) ** 0.5)
    kernel = tf.tile(tf.reshape(values, (1, 1, 1, maps, int(x.shape[-1]))), (2, 2, 2, 1, 1))
    shape = [1] + [2 * int(edge) for edge in x.shape[1:4]] + [maps]
    return tf.nn.relu(tf.nn.conv3d_transpose(x, kernel, shape, [1, 2, 2, 2, 1], "VALID"))


def crop(x, edge):
    first = (int(x.shape[1]) - edge) // 2
    return x[:, first : first + edge, first : first + edge, first : first + edge]


def level(x, number):
    for i in range(2):
        x = convolve(x, f"unet_layer_{number}_left_{i}", MAPS[number])
    if number == 2:
        return x
    skip = x
    x = level(tf.nn.max_pool3d(x, [1, 2, 2, 2, 1], [1, 2, 2, 2, 1], "VALID"), number + 1)
    maps = 3
    x = upsample(x, f"unet_up_{number + 1}_to_{number}", maps)
    step = 2 ** (2 - number)
    x = crop(x, (int(x.shape[1]) - 4) // step * step + 4)
    x = tf.concat([crop(skip, int(x.shape[1])), x], -1)
    for i in range(2):
        x = convolve(x, f"unet_layer_{number}_right_{i}", maps)
    return x


raw = tf.placeholder(tf.float32, (1, SIZE, SIZE, SIZE, 1))
x = upsample(level(raw, 0), "up_final", 3)
for i in range(2):
    x = convolve(x, f"final_conv_{i}", 3)
output = convolve(x, "conv_pass_0", CLASSES, edge=1, is_linear=True)
# What training leaves beside the weights.
tf.get_variable("global_step", initializer=numpy.int64(750000))
variable("unet_layer_0_left_0/kernel/Adam", (3, 3, 3, 1, 2), 1)
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    z, y, x = numpy.ogrid[:SIZE, :SIZE, :SIZE]
    given = ((3 * z * z + 5 * y * y + 7 * x * x + z * y + 11 * x) % 199 / 99 - 1).astype("float32")
    found = session.run(output, {raw: given[None, ..., None]})[0]
    tf.train.Saver().save(session, str(HERE / "unet_train_checkpoint_750000"), write_meta_graph=False, write_state=False)
print(found.shape, found.min(), found.max(), found.std())
# Every second voxel; the test makes the input again.
numpy.save(HERE / "expected.npy", found.transpose(3, 0, 1, 2)[:, ::2, ::2, ::2])
