# Sourced by the start scripts: builds a module where it is stale, then runs a class of it.
#
# run_java NAME MODULE CLASS [JVM OPTIONS ...] -- [ARGUMENTS ...]
run_java() {
  local name=$1 module=$2 class=$3
  shift 3
  local options=()
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift

  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  local target="$root/$module/target"
  local built="$target/$name.built"
  if [ ! -e "$built" ] || [ -n "$(find "$root"/pom.xml "$root"/urae-*/pom.xml "$root"/urae-*/src/main \
      -newer "$built" -print -quit)" ]; then
    echo "$name: building ..." >&2
    # Checks and tests have their own command, mvn verify.
    (cd "$root" && mvn -q -Dstyle.color=never -pl "$module" -am package -Dmaven.test.skip=true -Djacoco.skip=true) >&2
    touch "$built"
  fi

  local java=java
  if [ -n "${JAVA_HOME:-}" ]; then
    java="$JAVA_HOME/bin/java"
  fi
  exec "$java" "${options[@]}" ${URAE_JAVA_OPTS:-} \
    -cp "$target/$module.jar:$(cat "$target/classpath")" "$class" "$@"
}
