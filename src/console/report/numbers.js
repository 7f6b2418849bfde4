"use strict";
// Numbers out of the text that packing.py made of them.

function unpack(packed) {
  const wide = "f32" in packed;
  const text = atob(wide ? packed.f32 : packed.f16);
  const bytes = new DataView(new ArrayBuffer(text.length));
  for (let i = 0; i < text.length; i++) bytes.setUint8(i, text.charCodeAt(i));
  const count = text.length / (wide ? 4 : 2);
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = wide ? bytes.getFloat32(4 * i, true) : half(bytes.getUint16(2 * i, true));
  return { shape: packed.shape, data };
}

// IEEE 754 binary16: a sign, five bits of exponent, ten of fraction
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : (sign * fraction) / 2 ** 24;
}

// the part of an array that its first indices name
function at(array, ...indices) {
  const shape = array.shape.slice(indices.length);
  const size = shape.reduce((a, b) => a * b, 1);
  const start = indices.reduce((place, index, axis) => place * array.shape[axis] + index, 0) * size;
  return { shape, data: array.data.subarray(start, start + size) };
}
