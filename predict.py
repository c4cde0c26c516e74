"""Say what faces show, in photographs and videos: python predict.py photo.jpg. More with --help.

Where fer_lightning is installed, the same command is fer-predict, from any folder.
"""

from fer_lightning.use.command import main

if __name__ == "__main__":
    raise SystemExit(main())
