"""Names of the files that trainings, runs and studies leave: written and read by several."""

SETTINGS_FILE = "settings.yaml"  # of a study, a comparison or a training
STUDY_FILE = "study.json"  # what is fixed once a study has begun
COPY_FILE = "study.copy.json"  # the same, for the day when the first is damaged
PLUGIN_FOLDER = "plugins"  # copies of a study's plug-ins
RUN_FILE = "run.json"  # what a run was asked
RESULT_FILE = "result.json"  # what came of a run, or of a training
DATA_FILE = "data.json"  # what a training understood of its images
LAST, FINAL = "last.ckpt", "final.ckpt"  # a training between two epochs, and at its end
BOARD_FILE = "leaderboard.json"  # the rows of a study, in their order
