"""Who is told what came of a photo: the log and its metrics, traces, other systems."""
