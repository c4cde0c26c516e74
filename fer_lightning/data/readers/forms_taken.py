"""What data.path takes, in a few lines, for the messages of what it does not take; docs/data.md has all of it."""

FORMS = """\
- fer2013.csv (emotion,pixels,Usage), icml_face_data.csv or train.csv (emotion,pixels)
- one of these as .gz, .xz or .zip, or inside a .tgz or .tar
- a table of images (image,label): a CSV with a column of their files and one of their classes
- Hugging Face parquet files (train-00000-of-00002.parquet), webdataset tars (train-000000.tar)
- a folder that holds one of these
- a folder of images: train/<emotion>/*.jpg and test/<emotion>/*.jpg (jpg, png, bmp, webp, tiff or gif),
  or <emotion>/*.jpg"""
