"use strict";
// The bytes of a zlib stream (RFC 1950 and 1951). Browsers have a function for that, but paper does not wait for its promise.
function inflated(bytes) {
  const lengths = [...Array(28).keys()].map((code) => [code < 8 ? 3 + code : 3 + ((4 + (code & 3)) << ((code >> 2) - 1)), code < 8 ? 0 : (code >> 2) - 1]);
  const distances = [...Array(30).keys()].map((code) => [code < 4 ? 1 + code : 1 + ((2 + (code & 1)) << ((code >> 1) - 1)), code < 4 ? 0 : (code >> 1) - 1]);
  const fixed = [...Array(288).keys()].map((symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8));
  lengths.push([258, 0]);
  let [place, held, count, size] = [2, 0, 0, 0];
  let out = new Uint8Array(8 * bytes.length);
  const bits = (need) => {
    for (; count < need; count += 8) held |= bytes[place++] << count;
    const value = held & ((1 << need) - 1);
    held >>>= need;
    count -= need;
    return value;
  };
  const code = (sizes) => {
    const counts = Array(16).fill(0);
    sizes.forEach((length) => length && counts[length]++);
    const symbols = [...sizes.keys()].filter((symbol) => sizes[symbol]).sort((one, other) => sizes[one] - sizes[other] || one - other);
    return { counts, symbols };
  };
  const next = ({ counts, symbols }) => {
    for (let [length, found, first, before] = [1, 0, 0, 0]; ; length++) {
      found |= bits(1);
      if (found - counts[length] < first) return symbols[before + found - first];
      before += counts[length];
      first = (first + counts[length]) << 1;
      found <<= 1;
    }
  };
  const codes = () => {
    const [literals, ways, meta] = [257 + bits(5), 1 + bits(5), 4 + bits(4)];
    const sizes = Array(19).fill(0);
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].slice(0, meta).forEach((symbol) => (sizes[symbol] = bits(3)));
    const [of, all] = [code(sizes), []];
    while (all.length < literals + ways) {
      const symbol = next(of);
      if (symbol < 16) all.push(symbol);
      else all.push(...Array(symbol === 16 ? 3 + bits(2) : symbol === 17 ? 3 + bits(3) : 11 + bits(7)).fill(symbol === 16 ? all.at(-1) : 0));
    }
    return [code(all.slice(0, literals)), code(all.slice(literals))];
  };
  const put = (byte) => {
    if (size === out.length) {
      const wider = new Uint8Array(2 * size);
      wider.set(out);
      out = wider;
    }
    out[size++] = byte;
  };
  for (let isLast = 0; !isLast; ) {
    isLast = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      [held, count] = [0, 0];
      const end = place + 4 + bytes[place] + 256 * bytes[place + 1];
      for (place += 4; place < end; ) put(bytes[place++]);
      continue;
    }
    const [literals, ways] = kind === 1 ? [code(fixed), code(Array(30).fill(5))] : codes();
    for (let symbol = next(literals); symbol !== 256; symbol = next(literals)) {
      if (symbol < 256) {
        put(symbol);
        continue;
      }
      const [length, more] = lengths[symbol - 257];
      const end = size + length + bits(more);
      const [distance, further] = distances[next(ways)];
      const back = distance + bits(further);
      while (size < end) put(out[size - back]);
    }
  }
  return out.subarray(0, size);
}
