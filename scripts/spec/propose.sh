#!/usr/bin/env bash
# Opens a pull request with what `make update-spec` changed, or brings the open one up to date. Without a change: nothing.
#
#     scripts/spec/propose.sh SUMMARY [OUTCOME]
#
# SUMMARY is the file that `make update-spec` wrote; OUTCOME says how the checks ended. They are the pull request's text.
# Needs git and gh, a clone of the repository, and GH_TOKEN, which may write contents and pull requests.
set -euo pipefail
summary=$1
outcome=${2:-success}
branch=spec-update
base=$(git branch --show-current)

if [[ ! -f $summary ]]; then
  echo "The pinned spec is up to date: there is nothing to propose."
  exit 0
fi
body=$(mktemp)
trap 'rm -f "$body"' EXIT
{
  cat "$summary"
  if [[ $outcome == success ]]; then
    printf '\nTests and checks pass.\n'
  else
    printf '\n**Tests or checks fail**: the log of the workflow run says which.\n'
  fi
} >"$body"

git switch --quiet --force-create "$branch"
git add openapi generated
git -c user.name='github-actions[bot]' -c user.email='41898282+github-actions[bot]@users.noreply.github.com' \
  commit --quiet --message 'Pin the newest upstream description'
git fetch --quiet origin "+refs/heads/$branch:refs/remotes/origin/$branch" || true
if git diff --quiet HEAD "origin/$branch" 2>/dev/null; then
  echo "$branch has this already."
else
  git push --quiet --force origin "$branch"
fi
if [[ $(gh pr list --head "$branch" --state open --json number --jq length) == 0 ]]; then
  gh pr create --base "$base" --head "$branch" --title 'The upstream description changed' --body-file "$body"
else
  gh pr edit "$branch" --body-file "$body"
fi
