// sharp with its default options on each of many files: OUT FILE..., one line of JSON for each.
import { join } from "node:path";
import sharp from "sharp";

const [out, ...files] = process.argv.slice(2);

for (const [number, file] of files.entries()) {
  try {
    const made = await sharp(file)
      .autoOrient()
      .resize(320, 320, { fit: "inside", withoutEnlargement: true })
      .png()
      .toFile(join(out, `${number}.png`));
    console.log(JSON.stringify({ width: made.width, height: made.height }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message.split("\n")[0] }));
  }
}
