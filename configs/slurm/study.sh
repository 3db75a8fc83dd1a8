#!/bin/bash
# A study or comparison on all nodes, processors and GPUs of one job of Slurm.
#
#     cp configs/slurm/study.sh . && sbatch study.sh run --config mine.yaml
#
# Before its time limit, or when it is preempted, everything is saved within 30 seconds, the job is
# queued again, and the study continues, until it is done. `scancel` ends it; submitted again, it
# continues as well. The study's folder must be on a file system that all nodes see.
#
# Change what your cluster needs; lines that begin with ## are left out. If the job does not start,
# `squeue --me` says why: (PartitionConfig) where no node has as much as is asked for here.
#SBATCH --job-name=study
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
##SBATCH --gpus-per-node=4
##SBATCH --mem=64G
##SBATCH --partition=NAME
##SBATCH --account=NAME
#SBATCH --time=4:00:00
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@90

# module load cuda
# source venv/bin/activate

case $(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%L) in
[0-4]:[0-9][0-9]) # it would be saved and queued again without end
    echo "error: the time limit is too short to save a study in; give at least --time=5" >&2
    exit 2
    ;;
esac

stop() {
    stopped=yes
    kill -TERM "$study" 2>/dev/null
}
stopped=no
trap stop USR1 TERM

python search.py "$@" --executor.name slurm &
study=$!
while :; do
    wait "$study"
    code=$?
    kill -0 "$study" 2>/dev/null || break # else only the signal ended the wait
done

# A job that was cancelled is no longer RUNNING here.
if [ "$stopped" = yes ] && [ "$code" != 0 ] &&
    [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ]; then
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
fi
exit "$code"
