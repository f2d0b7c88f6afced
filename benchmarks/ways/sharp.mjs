// sharp in its two documented ways, PHOTO OUT REPEAT and "stream" or "file": one stream that each
// size clones (https://sharp.pixelplumbing.com/api-constructor/#clone), or the file once for each.
import { createReadStream } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";

const [photo, out, times, input] = process.argv.slice(2);
const SIZES = { xlarge: 2048, large: 1280, medium: 640, small: 320 };
const LIMITS = { limitInputPixels: false };

const save = (image, name) =>
  image.jpeg({ quality: 85, chromaSubsampling: "4:2:0" }).toFile(join(out, `${name}.jpg`));

const renditions = (open) =>
  Promise.all([
    ...Object.entries(SIZES).map(([name, side]) =>
      save(open().resize(side, side, { fit: "inside", withoutEnlargement: true }), name),
    ),
    save(open().resize(160, 160, { fit: "cover" }), "square"),
  ]);

const ways = {
  stream: () => {
    const pipeline = sharp(LIMITS).autoOrient();
    const done = renditions(() => pipeline.clone());
    createReadStream(photo).pipe(pipeline);
    return done;
  },
  file: () => renditions(() => sharp(photo, LIMITS).autoOrient()),
};

for (let time = 0; time < Number(times); time += 1) {
  const cpu = process.cpuUsage();
  const wall = process.hrtime.bigint();
  await ways[input]();
  const used = process.cpuUsage(cpu);
  console.log(
    JSON.stringify({
      cpu_ms: (used.user + used.system) / 1000,
      wall_ms: Number(process.hrtime.bigint() - wall) / 1e6,
    }),
  );
}
