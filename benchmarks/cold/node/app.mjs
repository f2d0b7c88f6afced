// The usual way in Node: one stream through sharp, a clone for each size.
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import sharp from "sharp";

const s3 = new S3Client({ forcePathStyle: true });
const SIZES = { xlarge: 2048, large: 1280, medium: 640, small: 320, square: 160 };

export async function handler(event) {
  for (const record of event.Records) {
    const Bucket = record.s3.bucket.name;
    const key = decodeURIComponent(record.s3.object.key.replaceAll("+", " "));
    const photo = await s3.send(new GetObjectCommand({ Bucket, Key: key }));
    const pipeline = sharp();
    photo.Body.pipe(pipeline);
    await Promise.all(
      Object.entries(SIZES).map(async ([name, size]) => {
        const fit = name === "square" ? "cover" : "inside";
        const Body = await pipeline
          .clone()
          .rotate()
          .resize(size, size, { fit })
          .jpeg({ quality: 85, mozjpeg: false, optimiseCoding: true })
          .toBuffer();
        await s3.send(
          new PutObjectCommand({
            Bucket: process.env.DESTINATION_BUCKET,
            Key: `${key}/${name}.jpg`,
            Body,
            ContentType: "image/jpeg",
          }),
        );
      }),
    );
  }
  return { renditions: 5 };
}
