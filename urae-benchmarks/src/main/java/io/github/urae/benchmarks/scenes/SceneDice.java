package io.github.urae.benchmarks.scenes;

import io.github.urae.benchmarks.scenes.Scene.Body;
import io.github.urae.benchmarks.scenes.Scene.Clouds;
import io.github.urae.benchmarks.scenes.Scene.Hour;
import io.github.urae.benchmarks.scenes.Scene.Land;
import io.github.urae.benchmarks.scenes.Scene.Season;
import io.github.urae.benchmarks.scenes.Scene.Thing;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Scenes by chance: things that go together, as often as the demonstration checkpoint saw them. */
final class SceneDice {

  private final Random random;

  SceneDice(Random random) {
    this.random = random;
  }

  boolean happens(double probability) {
    return random.nextDouble() < probability;
  }

  double between(double least, double most) {
    return least + (most - least) * random.nextDouble();
  }

  <T> T one(List<T> of) {
    return of.get(random.nextInt(of.size()));
  }

  /** Chooses by weights that need not add up to 1. */
  <T> T one(List<T> of, double... weights) {
    double sum = 0;
    for (double weight : weights) {
      sum += weight;
    }
    double at = random.nextDouble() * sum;
    int index = 0;
    while (index < weights.length - 1 && at >= weights[index]) {
      at -= weights[index++];
    }
    return of.get(index);
  }

  /** Returns a place on the left, in the middle or on the right. */
  private double side(boolean middleToo) {
    double x = one(middleToo ? List.of(0.25, 0.5, 0.75) : List.of(0.25, 0.75));
    return x + between(-0.03, 0.03);
  }

  Scene scene() {
    Land land = one(List.of(Land.values()), 30, 19, 17, 26, 8);
    Hour hour = one(List.of(Hour.values()), 27, 19, 28, 26);
    boolean seasons = land == Land.HILLS || land == Land.MOUNTAINS || land == Land.LAKE;
    Season season = seasons ? one(List.of(Season.values())) : Season.SUMMER;
    boolean peaks =
        switch (land) {
          case HILLS -> happens(0.4);
          case MOUNTAINS, LAKE -> true;
          case SEA -> happens(0.35);
          case DESERT -> happens(0.2);
        };
    boolean snow = peaks && land != Land.DESERT && (season == Season.WINTER || happens(0.62));
    boolean forest =
        switch (land) {
          case HILLS -> happens(0.3);
          case MOUNTAINS -> happens(0.65);
          case LAKE -> happens(0.55);
          case SEA, DESERT -> false;
        };
    Map<Thing, Double> things = things(land);
    Body body = body(hour);
    double bodyX = side(true);
    Double lighthouse = things.get(Thing.LIGHTHOUSE);
    if (lighthouse != null && Math.abs(bodyX - lighthouse) < 0.2) {
      bodyX = 1 - lighthouse;
    }
    boolean high = hour == Hour.NOON || hour == Hour.NIGHT;
    boolean aurora = hour == Hour.NIGHT && happens(0.28);
    return new Scene(
        land,
        hour,
        season,
        random.nextInt(Integer.MAX_VALUE),
        peaks,
        snow,
        forest,
        body,
        bodyX,
        high ? between(0.13, 0.22) : between(0.34, 0.44),
        aurora ? Clouds.NONE : one(List.of(Clouds.values()), 40, 35, 25),
        hour != Hour.NIGHT && happens(0.3),
        aurora,
        things);
  }

  private Map<Thing, Double> things(Land land) {
    Map<Thing, Double> things = new EnumMap<>(Thing.class);
    switch (land) {
      case HILLS -> {
        String what = one(List.of("", "tree", "house", "both"), 18, 42, 30, 10);
        if (what.equals("both")) {
          boolean left = happens(0.5);
          things.put(Thing.TREE, left ? 0.25 : 0.75);
          things.put(Thing.HOUSE, left ? 0.72 : 0.28);
        } else if (!what.isEmpty()) {
          things.put(what.equals("tree") ? Thing.TREE : Thing.HOUSE, side(true));
        }
      }
      case MOUNTAINS -> {
        if (happens(0.32)) {
          things.put(Thing.HOUSE, side(true));
        } else if (happens(0.15)) {
          things.put(Thing.TREE, side(false));
        }
      }
      case LAKE -> {
        if (happens(0.42)) {
          things.put(Thing.BOAT, side(true));
        } else if (happens(0.2)) {
          things.put(Thing.HOUSE, side(false));
        }
      }
      case SEA -> {
        String what = one(List.of("", "boat", "lighthouse", "both"), 14, 38, 34, 14);
        if (what.equals("boat")) {
          things.put(Thing.BOAT, side(true));
        } else if (!what.isEmpty()) {
          double x = side(false);
          things.put(Thing.LIGHTHOUSE, x);
          if (what.equals("both")) {
            things.put(Thing.BOAT, 1 - x);
          }
        }
      }
      case DESERT -> {
        // Sand alone.
      }
    }
    return things;
  }

  private Body body(Hour hour) {
    return switch (hour) {
      case NIGHT -> one(List.of(Body.FULL_MOON, Body.CRESCENT_MOON, Body.NONE), 45, 35, 20);
      case NOON -> happens(0.5) ? Body.SUN : Body.NONE;
      case DAWN -> happens(0.7) ? Body.SUN : Body.NONE;
      case SUNSET -> happens(0.85) ? Body.SUN : Body.NONE;
    };
  }
}
