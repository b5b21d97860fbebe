# Sourced by the start scripts: builds a module where it is stale, then runs a class of it.
#
# run_java NAME MODULE CLASS [JVM OPTIONS ...] -- [ARGUMENTS ...]
#
# Where archive_classes is a function, it is called after a build with a way to run the class; the classes that it
# loads are then archived (AppCDS), so that later starts need neither read nor verify them.
run_java() {
  local name=$1 module=$2 class=$3
  shift 3
  # Java 24 and later warn of native libraries otherwise.
  local options=(--enable-native-access=ALL-UNNAMED)
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift

  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  local target="$root/$module/target"
  local built="$target/$name.built" archive="$target/$name.jsa"
  local java=java
  if [ -n "${JAVA_HOME:-}" ]; then
    java="$JAVA_HOME/bin/java"
  fi

  if [ ! -e "$built" ] || [ -n "$(find "$root"/pom.xml "$root"/urae-*/pom.xml "$root"/urae-*/src/main \
      -newer "$built" -print -quit)" ]; then
    echo "$name: building ..." >&2
    rm -f "$archive"
    # Checks and tests have their own command, mvn verify.
    (cd "$root" && mvn -q -Dstyle.color=never -pl "$module" -am package -Dmaven.test.skip=true -Djacoco.skip=true) >&2
    touch "$built"
    if declare -F archive_classes > /dev/null; then
      # Only a faster start is lost where it fails.
      archive_classes "$java" "${options[@]}" -Xlog:disable "-XX:ArchiveClassesAtExit=$archive" \
        -cp "$target/$module.jar:$(cat "$target/classpath")" "$class" || rm -f "$archive"
    fi
  fi

  if [ -e "$archive" ]; then
    # Ignored without a word by another Java than the one that wrote it.
    options+=("-XX:SharedArchiveFile=$archive" -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off)
  fi
  local run=("$java")
  if [ "$(locale charmap 2> /dev/null)" = ANSI_X3.4-1968 ]; then
    # Java reads arguments and names files in the locale's encoding; without a locale that is ASCII.
    run=(env LC_ALL=C.UTF-8 "$java")
  fi
  # The library sees to that itself; here it costs nothing.
  export ORT_DISABLE_TELEMETRY=1
  exec "${run[@]}" "${options[@]}" ${URAE_JAVA_OPTS:-} \
    -cp "$target/$module.jar:$(cat "$target/classpath")" "$class" "$@"
}
