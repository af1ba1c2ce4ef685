"""From bytes and slots to findings: `scan.Detector` reads one file after the other (docs/detection.md)."""
