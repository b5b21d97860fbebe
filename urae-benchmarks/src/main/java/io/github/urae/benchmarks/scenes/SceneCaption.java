package io.github.urae.benchmarks.scenes;

import io.github.urae.benchmarks.scenes.Scene.Body;
import io.github.urae.benchmarks.scenes.Scene.Clouds;
import io.github.urae.benchmarks.scenes.Scene.Hour;
import io.github.urae.benchmarks.scenes.Scene.Land;
import io.github.urae.benchmarks.scenes.Scene.Season;
import io.github.urae.benchmarks.scenes.Scene.Thing;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Says what a scene shows, in the words that the demonstration checkpoint knows. */
final class SceneCaption {

  private static final Map<Season, List<String>> HILLS =
      Map.of(
          Season.SPRING,
          List.of("spring hills", "green hills in spring", "spring meadows with flowers"),
          Season.SUMMER,
          List.of("green hills", "rolling green hills", "summer hills", "rolling hills in summer"),
          Season.AUTUMN,
          List.of("autumn hills", "golden hills in autumn", "orange hills in autumn"),
          Season.WINTER,
          List.of("winter hills", "snowy hills", "snow covered hills in winter"));

  private static final Map<Season, List<String>> TREES =
      Map.of(
          Season.SPRING,
          List.of("a lone tree in blossom", "a blossoming tree", "a lone tree", "a pink tree"),
          Season.SUMMER,
          List.of("a lone tree", "a green tree", "a single tree"),
          Season.AUTUMN,
          List.of("a lone tree", "an autumn tree", "a single orange tree"),
          Season.WINTER,
          List.of("a bare tree", "a lone bare tree", "a lone tree"));

  private static final Map<Hour, List<String>> HOURS =
      Map.of(
          Hour.NOON,
          List.of("at noon", "on a bright day", "on a sunny day", "in daylight"),
          Hour.DAWN,
          List.of("at dawn", "at sunrise", "in the early morning", "in morning light"),
          Hour.SUNSET,
          List.of("at sunset", "in the evening", "at dusk", "in the evening light"),
          Hour.NIGHT,
          List.of("at night", "at night", "under the stars", "under a starry sky"));

  private final Scene scene;
  private final SceneDice dice;

  private SceneCaption(Scene scene, Random random) {
    this.scene = scene;
    this.dice = new SceneDice(random);
  }

  /** Describes a scene; of what is said and left unsaid, chance decides. */
  static String of(Scene scene, Random random) {
    return new SceneCaption(scene, random).sentence();
  }

  private String sentence() {
    List<String> things = things();
    String land = land();
    String main;
    if (things.isEmpty()) {
      main = land + behind();
    } else if (scene.land() == Land.SEA && dice.happens(0.45)) {
      main = String.join(" and ", things) + behind();
    } else if (dice.happens(0.65)) {
      main = String.join(" and ", things) + " " + joint() + " " + land + behind();
    } else {
      main = land + behind() + " with " + String.join(" and ", things);
    }
    String hour = dice.one(HOURS.get(scene.hour()));
    List<String> sky = sky();
    List<String> parts = new ArrayList<>();
    if (!sky.isEmpty() && dice.happens(0.25)) {
      parts.add(main);
      parts.add(sky.remove(0));
      parts.add(hour);
    } else if (dice.happens(0.15)) {
      parts.add(hour + ",");
      parts.add(main);
    } else {
      parts.add(main);
      parts.add(hour);
    }
    parts.addAll(sky);
    String text = String.join(" ", parts);
    boolean begins = parts.get(0).equals(main);
    return begins
        ? dice.one(List.of("", "", "", "a painting of ", "a landscape with ", "a picture of "))
            + text
        : text;
  }

  private String mountains() {
    return dice.one(
        scene.snow()
            ? List.of("snowy mountains", "snow-capped mountains", "snowy peaks")
            : List.of("mountains", "blue mountains", "rocky mountains"));
  }

  private String land() {
    return switch (scene.land()) {
      case HILLS -> dice.one(HILLS.get(scene.season()));
      case MOUNTAINS ->
          mountains()
              + (dice.happens(0.5)
                  ? switch (scene.season()) {
                    case SPRING -> dice.one(List.of(" in spring", " above a spring meadow"));
                    case SUMMER -> dice.one(List.of(" in summer", " above green meadows"));
                    case AUTUMN -> dice.one(List.of(" in autumn", " above autumn meadows"));
                    case WINTER -> dice.one(List.of(" in winter", " in deep winter"));
                  }
                  : "");
      case LAKE ->
          dice.one(List.of("a lake", "a calm lake", "a mountain lake", "a still lake"))
              + (dice.happens(0.6)
                  ? switch (scene.season()) {
                    case SPRING -> " in spring";
                    case SUMMER -> "";
                    case AUTUMN -> " in autumn";
                    case WINTER -> " in winter";
                  }
                  : "");
      case SEA -> dice.one(List.of("the sea", "the ocean", "the open sea", "a calm sea"));
      case DESERT ->
          dice.one(List.of("desert dunes", "sand dunes", "the desert", "golden sand dunes"));
    };
  }

  private String behind() {
    StringBuilder text = new StringBuilder();
    if (scene.peaks() && dice.happens(0.85)) {
      text.append(
          switch (scene.land()) {
            case HILLS, SEA -> " in front of " + mountains();
            case LAKE -> dice.one(List.of(" in front of ", " below ", " with ")) + mountains();
            case DESERT -> dice.one(List.of(" in front of mountains", " with mountains"));
            case MOUNTAINS -> "";
          });
    }
    if (scene.forest() && dice.happens(0.9)) {
      text.append(
          dice.one(
              List.of(
                  " with a pine forest",
                  " with pine trees",
                  " and a pine forest",
                  " with dark pines")));
    }
    return text.toString();
  }

  private String joint() {
    return dice.one(
        switch (scene.land()) {
          case HILLS -> List.of("on", "among");
          case MOUNTAINS -> List.of("below", "in front of");
          case LAKE -> scene.has(Thing.BOAT) ? List.of("on") : List.of("on", "by");
          case SEA -> scene.has(Thing.LIGHTHOUSE) ? List.of("by", "above") : List.of("on");
          case DESERT -> List.of("in");
        });
  }

  /** The sides of a place are told at times. */
  private String at(double x) {
    if (!dice.happens(0.45)) {
      return "";
    }
    return x < 0.4 ? " on the left" : x > 0.6 ? " on the right" : " in the middle";
  }

  private List<String> things() {
    List<String> said = new ArrayList<>();
    scene
        .things()
        .forEach(
            (thing, x) -> {
              List<String> names =
                  switch (thing) {
                    case TREE -> TREES.get(scene.season());
                    case HOUSE ->
                        scene.hour().isDark()
                            ? List.of(
                                "a small house with lit windows",
                                "a cottage with glowing windows",
                                "a house with lit windows",
                                "a small house")
                            : List.of("a small house", "a cottage", "a little house");
                    case BOAT ->
                        List.of(
                            "a sailing boat",
                            "a sailboat",
                            "a small boat with white sails",
                            "a sailing ship");
                    case LIGHTHOUSE ->
                        List.of(
                            "a lighthouse on a cliff",
                            "a lighthouse",
                            "a lighthouse on the rocks",
                            "a red and white lighthouse");
                  };
              said.add(dice.happens(0.5) ? said.size() : 0, dice.one(names) + at(x));
            });
    return said;
  }

  private List<String> sky() {
    List<String> said = new ArrayList<>();
    if (scene.body() != Body.NONE && dice.happens(0.8)) {
      String name =
          switch (scene.body()) {
            case SUN ->
                dice.one(
                    List.of(
                        "with the sun",
                        scene.hour() == Hour.NOON ? "with a bright sun" : "with a low sun"));
            case FULL_MOON -> dice.one(List.of("under a full moon", "with a full moon"));
            case CRESCENT_MOON ->
                dice.one(List.of("under a crescent moon", "with a crescent moon"));
            case NONE -> "";
          };
      said.add(name + at(scene.bodyX()));
    }
    if (scene.clouds() == Clouds.MANY && dice.happens(0.85)) {
      said.add(dice.one(List.of("under clouds", "with many clouds", "under a cloudy sky")));
    } else if (scene.clouds() == Clouds.FEW && dice.happens(0.85)) {
      said.add(dice.one(List.of("with a few clouds", "with clouds", "with soft clouds")));
    } else if (scene.clouds() == Clouds.NONE && !scene.aurora() && dice.happens(0.15)) {
      said.add(dice.one(List.of("under a clear sky", "with a clear sky")));
    }
    if (scene.aurora() && dice.happens(0.95)) {
      said.add(dice.one(List.of("with an aurora", "under northern lights", "under an aurora")));
    }
    if (scene.birds() && dice.happens(0.8)) {
      said.add(dice.one(List.of("with birds", "with a flock of birds", "and birds in the sky")));
    }
    return said;
  }
}
